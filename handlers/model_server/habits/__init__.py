"""What real providers, gateways and models do to a call, each by name: ``habit_table`` lists them."""
