"""Two years of real hotel bookings, replayed through the deployed system in the offline account."""
