//! Which T-SQL only reads: a plan sends nothing else.
//!
//! A batch that changes something cannot do so without one of these words, or without a procedure, which needs `EXECUTE`
//! unless its name is the first word. What merely looks so (`MERGE` as a join hint) is refused as well: a plan then says
//! that it cannot look further.
//!
//! Source: Transact-SQL reference, "Statements" and "EXECUTE".

use super::lexer::{Kind, lex};

const WRITING: [&str; 29] = [
    "ALTER",
    "BACKUP",
    "BULK",
    "CHECKPOINT",
    "COMMIT",
    "CREATE",
    "DBCC",
    "DELETE",
    "DENY",
    "DISABLE",
    "DROP",
    "ENABLE",
    "EXEC",
    "EXECUTE",
    "GRANT",
    "INSERT",
    "INTO",
    "KILL",
    "MERGE",
    "OPENROWSET",
    "RECONFIGURE",
    "RENAME",
    "RESTORE",
    "REVOKE",
    "SHUTDOWN",
    "TRUNCATE",
    "UPDATE",
    "UPDATETEXT",
    "WRITETEXT",
];

/// With what a batch begins that is no call of a procedure.
const FIRST: [&str; 9] = [
    "SELECT", "WITH", "SET", "DECLARE", "IF", "BEGIN", "USE", "PRINT", "WHILE",
];

/// Whether a batch changes nothing, as far as its words tell.
pub fn is_read(sql: &str) -> bool {
    let mut tokens = lex(sql).filter(|token| !token.is_trivia()).peekable();
    let begins = tokens
        .peek()
        .is_none_or(|first| first.is_operator("(") || FIRST.iter().any(|word| first.is_word(word)));
    begins && tokens.all(|token| token.kind != Kind::Word || !WRITING.iter().any(|word| token.is_word(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_is_no_read() {
        for read in [
            "SELECT name FROM sys.databases",
            "-- DELETE\nSELECT 'DROP TABLE x' AS [UPDATE]",
            "SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON;",
            "WITH a AS (SELECT 1 AS n) SELECT n FROM a",
            "",
        ] {
            assert!(is_read(read), "{read}");
        }
        for write in [
            "delete from Clients",
            "SELECT * INTO copy FROM Clients",
            "IF 1 = 1 DROP TABLE Clients",
            "sp_rename 'a', 'b'",
            "[dbo].[procedure]",
            "BEGIN TRANSACTION; UPDATE Clients SET Enabled = 0; COMMIT",
            "WITH a AS (SELECT 1 AS n) DELETE FROM a",
        ] {
            assert!(!is_read(write), "{write}");
        }
    }
}
