//! The words of errors, and how rows are read. The tasks themselves run in the tests of the program.
