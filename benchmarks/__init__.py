"""What ``make bench`` runs: to come."""
