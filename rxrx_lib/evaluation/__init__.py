"""What a run's predictions are worth: pure functions of arrays, without torch."""
