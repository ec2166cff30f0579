"""What a task says of itself, for those who know no task."""
