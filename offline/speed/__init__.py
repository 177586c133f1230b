"""The same answers as moto's at less cost: nothing here changes what a caller sees."""
