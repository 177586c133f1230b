"""When people hear of a window.

`verdicts` lists the verdicts of a judged window, `episode` decides when people hear of them: when alarms begin,
become worse, last and end.
"""
