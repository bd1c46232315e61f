"""What all processes know together, in Valkey: request limits, and who asks a venue for all."""
