"""What examples leave behind: files that are whole, paired differences, tables, figures' style."""
