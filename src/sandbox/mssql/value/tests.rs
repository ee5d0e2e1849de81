//! Types and conversions, against what a SQL Server answers.

use super::*;

fn text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_come_back() {
    for name in [
        "nvarchar(200)",
        "nvarchar(max)",
        "decimal(10,2)",
        "datetime2(7)",
        "int",
        "varbinary(64)",
    ] {
        assert_eq!(SqlType::parse(name).map(SqlType::name).as_deref(), Some(name));
    }
    assert_eq!(SqlType::parse("nvarchar(5000)"), None);
}

#[test]
fn conversions_fail_as_the_server_does() {
    let error = cast(&Value::text("abc"), SqlType::VarChar(Some(3)), SqlType::Int).unwrap_err();
    assert_eq!(
        (error.number, error.message.as_str()),
        (
            245,
            "Conversion failed when converting the varchar value 'abc' to data type int."
        )
    );
    assert_eq!(
        cast(&Value::Int(300), SqlType::Int, SqlType::TinyInt)
            .unwrap_err()
            .number,
        220
    );
    assert_eq!(
        cast(&Value::text("x"), SqlType::VarChar(None), SqlType::DateTime2(7))
            .unwrap_err()
            .number,
        241
    );
    assert_eq!(
        cast(&Value::text("x"), SqlType::VarChar(None), SqlType::UniqueIdentifier)
            .unwrap_err()
            .number,
        8169
    );
}

#[test]
fn dates_show_as_their_type_does() {
    let stored = cast(
        &Value::text("2024-05-06T07:08:09.1267"),
        SqlType::VarChar(None),
        SqlType::DateTime2(3),
    )
    .unwrap();
    let show = |style| {
        text(
            convert(
                &stored,
                SqlType::DateTime2(3),
                SqlType::NVarChar(None),
                style,
                TooLong::Cut,
            )
            .unwrap(),
        )
    };
    assert_eq!(show(None), "2024-05-06 07:08:09.127");
    assert_eq!(show(Some(126)), "2024-05-06T07:08:09.127");
    assert_eq!(show(Some(112)), "20240506");
    let datetime = cast(&stored, SqlType::DateTime2(3), SqlType::DateTime).unwrap();
    assert_eq!(
        text(cast(&datetime, SqlType::DateTime, SqlType::VarChar(None)).unwrap()),
        "May  6 2024  7:08AM"
    );
}

#[test]
fn bytes_and_text() {
    let hash = Value::Bytes(vec![0xAB, 0x01]);
    let shown = convert(
        &hash,
        SqlType::VarBinary(None),
        SqlType::VarChar(None),
        Some(2),
        TooLong::Cut,
    )
    .unwrap();
    assert_eq!(text(shown), "AB01");
    let wide = cast(&Value::text("é"), SqlType::NVarChar(None), SqlType::VarBinary(None)).unwrap();
    assert_eq!(wide, Value::Bytes(vec![0xE9, 0]));
}
