"""What examples leave behind: whole files, paired differences, tables, figures in one style."""
