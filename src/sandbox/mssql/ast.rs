//! T-SQL as a tree: what [`super::parser`] reads and [`super::engine`] runs.

use super::value::SqlType;

/// `server.database.schema.name`, as far as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub Vec<String>);

impl Name {
    pub fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// As in error messages.
    pub fn display(&self) -> String {
        self.0.join(".")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    BitAnd,
    BitOr,
    BitXor,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Null,
    Int(i64),
    /// A literal with a decimal point, as it was written.
    Decimal(String),
    Float(f64),
    Text {
        text: String,
        wide: bool,
    },
    Bytes(Vec<u8>),
    /// `@x` or `@@X`.
    Variable {
        name: String,
        line: u32,
    },
    Column {
        name: Name,
        line: u32,
    },
    Negate(Box<Expr>),
    BitNot(Box<Expr>),
    Not(Box<Expr>),
    Binary {
        op: Op,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    IsNull {
        of: Box<Expr>,
        negated: bool,
    },
    In {
        of: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    InQuery {
        of: Box<Expr>,
        query: Box<Query>,
        negated: bool,
    },
    Between {
        of: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    Like {
        of: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        negated: bool,
    },
    Exists(Box<Query>),
    Case {
        operand: Option<Box<Expr>>,
        whens: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST`, `CONVERT` and their `TRY_` forms.
    Cast {
        of: Box<Expr>,
        to: SqlType,
        style: Option<Box<Expr>>,
        attempt: bool,
    },
    Call {
        name: Name,
        arguments: Vec<Expr>,
        distinct: bool,
        star: bool,
        over: Option<Over>,
        line: u32,
    },
    Subquery(Box<Query>),
    Collate {
        of: Box<Expr>,
        collation: String,
    },
    /// `DEFAULT` in the place of a value.
    Default,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    pub partition: Vec<Expr>,
    pub order: Vec<Order>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub by: Expr,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub with: Vec<Cte>,
    pub body: Body,
    pub order: Vec<Order>,
    pub offset: Option<Expr>,
    pub fetch: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cte {
    pub name: String,
    pub columns: Vec<String>,
    pub query: Query,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Select(Box<Select>),
    Set {
        op: SetOp,
        left: Box<Body>,
        right: Box<Body>,
    },
    Values(Vec<Vec<Expr>>),
    /// In parentheses, with an order of its own.
    Query(Box<Query>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOp {
    Union,
    UnionAll,
    Except,
    Intersect,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    pub distinct: bool,
    pub top: Option<Expr>,
    pub items: Vec<Item>,
    pub into: Option<Name>,
    pub from: Vec<TableRef>,
    pub filter: Option<Expr>,
    pub group: Vec<Expr>,
    pub having: Option<Expr>,
    pub line: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Expr { expr: Expr, alias: Option<String> },
    Star(Option<Name>),
    Assign { variable: String, expr: Expr },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TableRef {
    Table {
        name: Name,
        alias: Option<String>,
        line: u32,
    },
    Derived {
        query: Box<Query>,
        alias: String,
        columns: Vec<String>,
    },
    Join {
        kind: JoinKind,
        left: Box<TableRef>,
        right: Box<TableRef>,
        on: Option<Expr>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub line: u32,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Query(Box<Query>),
    Exec(Box<Kind>),
    Defaults,
}

/// `OUTPUT ... [INTO table (columns)]`
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub items: Vec<Item>,
    pub into: Option<(Name, Vec<String>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Select(Query),
    Insert {
        with: Vec<Cte>,
        table: Name,
        columns: Vec<(String, u32)>,
        source: Source,
        output: Option<Output>,
    },
    Update {
        with: Vec<Cte>,
        top: Option<Expr>,
        table: Name,
        sets: Vec<(Target, Expr)>,
        output: Option<Output>,
        from: Vec<TableRef>,
        filter: Option<Expr>,
    },
    Delete {
        with: Vec<Cte>,
        top: Option<Expr>,
        table: Name,
        output: Option<Output>,
        from: Vec<TableRef>,
        filter: Option<Expr>,
    },
    Truncate(Name),
    Declare(Vec<(String, SqlType, Option<Expr>)>),
    DeclareTable(String, Box<TableDefinition>),
    SetVariable(String, Expr),
    SetOption {
        option: String,
        on: bool,
        value: String,
    },
    IdentityInsert {
        table: Name,
        on: bool,
    },
    If {
        condition: Expr,
        then: Box<Statement>,
        otherwise: Option<Box<Statement>>,
    },
    While {
        condition: Expr,
        body: Box<Statement>,
    },
    Block(Vec<Statement>),
    Break,
    Continue,
    Return(Option<Expr>),
    Try {
        body: Vec<Statement>,
        catch: Vec<Statement>,
    },
    Throw(Option<(Expr, Expr, Expr)>),
    RaisError {
        message: Expr,
        severity: Expr,
        state: Expr,
        arguments: Vec<Expr>,
        nowait: bool,
    },
    Print(Expr),
    WaitFor(Expr),
    Begin,
    Commit,
    Rollback(Option<String>),
    Save(String),
    Use(String),
    Exec {
        procedure: Name,
        arguments: Vec<Argument>,
        result: Option<String>,
    },
    ExecText(Expr),
    CreateTable(Box<TableDefinition>),
    CreateIndex(Box<IndexDefinition>, Name),
    CreateSchema(String),
    CreateDatabase(String),
    CreateView {
        name: Name,
        columns: Vec<String>,
        text: String,
        alter: bool,
        create: bool,
    },
    AlterTable {
        table: Name,
        change: Change,
    },
    AlterDatabase {
        name: Option<String>,
        option: String,
        effective: bool,
    },
    AlterAuthorization,
    Drop {
        what: &'static str,
        names: Vec<Name>,
        if_exists: bool,
    },
    DropIndex {
        index: String,
        table: Name,
        if_exists: bool,
    },
    CreateLogin {
        name: String,
        password: Expr,
        alter: bool,
    },
    CreateUser {
        name: String,
        login: Option<String>,
    },
    CreateRole(String),
    RoleMember {
        role: String,
        member: String,
        add: bool,
        server: bool,
    },
    Grant {
        deny: bool,
        revoke: bool,
        permissions: Vec<String>,
        on: Option<Name>,
        to: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    Column(Name, u32),
    Variable(String),
}

/// An argument of `EXEC`.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    pub name: Option<String>,
    pub value: Expr,
    pub output: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TableDefinition {
    pub name: Name,
    pub columns: Vec<ColumnDefinition>,
    pub constraints: Vec<Constraint>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    pub name: String,
    pub sql_type: SqlType,
    pub nullable: Option<bool>,
    pub identity: Option<(i64, i64)>,
    /// Constraints that were written at the column.
    pub constraints: Vec<Constraint>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    pub name: Option<String>,
    pub kind: ConstraintKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Action {
    #[default]
    NoAction,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ConstraintKind {
    Key {
        primary: bool,
        clustered: Option<bool>,
        columns: Vec<(String, bool)>,
    },
    Foreign {
        columns: Vec<String>,
        table: Name,
        referenced: Vec<String>,
        on_delete: Action,
        on_update: Action,
    },
    Check {
        text: String,
    },
    /// The column is known from where it stands, or by `FOR`.
    Default {
        text: String,
        column: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct IndexDefinition {
    pub name: String,
    pub unique: bool,
    pub clustered: bool,
    pub columns: Vec<(String, bool)>,
    pub include: Vec<String>,
    pub filter: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Add {
        columns: Vec<ColumnDefinition>,
        constraints: Vec<Constraint>,
        check: bool,
    },
    AlterColumn(Box<ColumnDefinition>),
    Drop {
        columns: Vec<String>,
        constraints: Vec<String>,
        if_exists: bool,
    },
    /// `CHECK CONSTRAINT` and `NOCHECK CONSTRAINT`.
    Trust {
        constraint: String,
        on: bool,
    },
}
