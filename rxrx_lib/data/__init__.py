"""What a screen is on disk and how it becomes minibatches."""
