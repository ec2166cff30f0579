"""What tests are made of: values, clocks, servers, commands, runs, states. No test imports from another."""
