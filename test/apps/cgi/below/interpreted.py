# Run by its interpreter, as it is not executable.
print("Content-Type: text/plain\n\npython")
