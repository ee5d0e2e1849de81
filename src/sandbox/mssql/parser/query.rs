//! Queries. Source: "SELECT", "FROM", "WITH common_table_expression" in the Transact-SQL reference.

use super::Parser;
use crate::mssql::lexer::Kind;
use crate::sandbox::mssql::ast::{Body, Cte, Expr, Item, JoinKind, Order, Query, Select, SetOp, TableRef};
use crate::sandbox::mssql::errors::{Result, SqlError};

/// Table hints that change nothing here: reads do not block and see what is committed.
const HINTS: [&str; 16] = [
    "NOLOCK",
    "READUNCOMMITTED",
    "READCOMMITTED",
    "READPAST",
    "ROWLOCK",
    "PAGLOCK",
    "TABLOCK",
    "TABLOCKX",
    "UPDLOCK",
    "XLOCK",
    "HOLDLOCK",
    "SERIALIZABLE",
    "REPEATABLEREAD",
    "FORCESEEK",
    "NOWAIT",
    "SNAPSHOT",
];

impl Parser<'_> {
    pub(super) fn starts_query(&self) -> bool {
        self.is("SELECT")
            || self.is("WITH")
            || (self.is_op("(") && {
                let mut count = 1;
                while self.is_op_after(count, "(") {
                    count += 1;
                }
                self.is_after(count, "SELECT")
            })
    }

    pub(super) fn query(&mut self) -> Result<Query> {
        self.nested(|parser| {
            let with = parser.ctes()?;
            parser.query_body(with)
        })
    }

    /// `WITH a AS (...), b AS (...)`
    pub(super) fn ctes(&mut self) -> Result<Vec<Cte>> {
        let mut with = Vec::new();
        if self.accept("WITH") {
            loop {
                let name = self.identifier()?;
                let columns = if self.is_op("(") {
                    self.identifiers()?
                } else {
                    Vec::new()
                };
                self.expect("AS")?;
                self.expect_op("(")?;
                let query = self.query()?;
                self.expect_op(")")?;
                with.push(Cte { name, columns, query });
                if !self.accept_op(",") {
                    break;
                }
            }
        }
        Ok(with)
    }

    pub(super) fn query_body(&mut self, with: Vec<Cte>) -> Result<Query> {
        let body = self.set_body()?;
        let mut query = Query {
            with,
            body,
            order: Vec::new(),
            offset: None,
            fetch: None,
        };
        if self.is("ORDER") && self.is_after(1, "BY") {
            self.at += 2;
            query.order = self.order_list()?;
            if self.accept("OFFSET") {
                query.offset = Some(self.expr()?);
                if !self.accept("ROWS") {
                    self.expect("ROW")?;
                }
                if self.accept("FETCH") {
                    if !self.accept("NEXT") {
                        self.expect("FIRST")?;
                    }
                    query.fetch = Some(self.expr()?);
                    if !self.accept("ROWS") {
                        self.expect("ROW")?;
                    }
                    self.expect("ONLY")?;
                }
            }
        }
        if self.is("FOR") && ["JSON", "XML", "BROWSE"].iter().any(|word| self.is_after(1, word)) {
            return Err(SqlError::unsupported("FOR JSON and FOR XML").at(self.line()));
        }
        if self.is("OPTION") && self.is_op_after(1, "(") {
            return Err(SqlError::unsupported("query hints (OPTION)").at(self.line()));
        }
        Ok(query)
    }

    fn set_body(&mut self) -> Result<Body> {
        let mut left = self.intersect_body()?;
        loop {
            let op = if self.accept("UNION") {
                if self.accept("ALL") {
                    SetOp::UnionAll
                } else {
                    SetOp::Union
                }
            } else if self.accept("EXCEPT") {
                SetOp::Except
            } else {
                return Ok(left);
            };
            let right = self.intersect_body()?;
            left = Body::Set {
                op,
                left: Box::new(left),
                right: Box::new(right),
            };
        }
    }

    fn intersect_body(&mut self) -> Result<Body> {
        let mut left = self.body_primary()?;
        while self.accept("INTERSECT") {
            let right = self.body_primary()?;
            left = Body::Set {
                op: SetOp::Intersect,
                left: Box::new(left),
                right: Box::new(right),
            };
        }
        Ok(left)
    }

    fn body_primary(&mut self) -> Result<Body> {
        if self.accept_op("(") {
            let query = self.query()?;
            self.expect_op(")")?;
            return Ok(Body::Query(Box::new(query)));
        }
        Ok(Body::Select(Box::new(self.select()?)))
    }

    /// `(1, 2), (3, 4)`
    pub(super) fn values(&mut self) -> Result<Vec<Vec<Expr>>> {
        let mut rows = Vec::new();
        loop {
            self.expect_op("(")?;
            rows.push(self.expr_list()?);
            self.expect_op(")")?;
            if !self.accept_op(",") {
                return Ok(rows);
            }
        }
    }

    pub(super) fn order_list(&mut self) -> Result<Vec<Order>> {
        let mut list = Vec::new();
        loop {
            let by = self.expr()?;
            let descending = self.accept("DESC");
            if !descending {
                self.accept("ASC");
            }
            list.push(Order { by, descending });
            if !self.accept_op(",") {
                return Ok(list);
            }
        }
    }

    /// `TOP 5` or `TOP (@n)`
    pub(super) fn top(&mut self) -> Result<Option<Expr>> {
        if !self.accept("TOP") {
            return Ok(None);
        }
        let count = if self.accept_op("(") {
            let count = self.expr()?;
            self.expect_op(")")?;
            count
        } else {
            Expr::Int(self.integer()?)
        };
        if self.is("PERCENT") || (self.is("WITH") && self.is_after(1, "TIES")) {
            return Err(SqlError::unsupported("TOP with PERCENT or WITH TIES").at(self.line()));
        }
        Ok(Some(count))
    }

    fn select(&mut self) -> Result<Select> {
        let line = self.line();
        self.expect("SELECT")?;
        let distinct = self.accept("DISTINCT");
        if !distinct {
            self.accept("ALL");
        }
        let top = self.top()?;
        let items = self.items()?;
        let into = if self.accept("INTO") {
            Some(self.table_name()?)
        } else {
            None
        };
        let from = if self.accept("FROM") { self.from()? } else { Vec::new() };
        let filter = if self.accept("WHERE") { Some(self.expr()?) } else { None };
        let mut group = Vec::new();
        if self.accept("GROUP") {
            self.expect("BY")?;
            for word in ["ROLLUP", "CUBE", "GROUPING"] {
                if self.is(word) {
                    return Err(SqlError::unsupported(format!("GROUP BY {word}")).at(self.line()));
                }
            }
            group = self.expr_list()?;
        }
        let having = if self.accept("HAVING") {
            Some(self.expr()?)
        } else {
            None
        };
        Ok(Select {
            distinct,
            top,
            items,
            into,
            from,
            filter,
            group,
            having,
            line,
        })
    }

    pub(super) fn items(&mut self) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            items.push(self.item()?);
            if !self.accept_op(",") {
                return Ok(items);
            }
        }
    }

    fn item(&mut self) -> Result<Item> {
        if self.accept_op("*") {
            return Ok(Item::Star(None));
        }
        // `t.*`
        let start = self.at;
        if self.is_identifier() {
            let mut parts = vec![self.identifier()?];
            while self.accept_op(".") {
                if self.accept_op("*") {
                    return Ok(Item::Star(Some(crate::sandbox::mssql::ast::Name(parts))));
                }
                if !self.is_identifier() {
                    break;
                }
                parts.push(self.identifier()?);
            }
            // `alias = expression`
            if parts.len() == 1 && self.is_op("=") {
                self.at += 1;
                let expr = self.expr()?;
                return Ok(Item::Expr {
                    expr,
                    alias: parts.pop(),
                });
            }
            self.at = start;
        }
        if self
            .token()
            .is_some_and(|token| token.kind == Kind::Variable && !token.text.starts_with("@@"))
        {
            for (operator, op) in super::statement::ASSIGNMENTS {
                if self.is_op_after(1, operator) {
                    let variable = self.variable()?;
                    let line = self.line();
                    self.at += 1;
                    let value = self.expr()?;
                    let expr = super::statement::assigned(&variable, *op, value, line);
                    return Ok(Item::Assign { variable, expr });
                }
            }
        }
        let expr = self.expr()?;
        let alias = if self.accept("AS")
            || self.is_identifier()
            || self.token().is_some_and(|token| token.kind == Kind::Text)
        {
            Some(self.alias()?)
        } else {
            None
        };
        Ok(Item::Expr { expr, alias })
    }

    /// An alias may be in quotes of either kind.
    fn alias(&mut self) -> Result<String> {
        match self.token() {
            Some(token) if token.kind == Kind::Text => {
                let alias = token.value.clone();
                self.at += 1;
                Ok(alias)
            }
            _ => self.identifier(),
        }
    }

    pub(super) fn from(&mut self) -> Result<Vec<TableRef>> {
        let mut list = vec![self.joined()?];
        while self.accept_op(",") {
            list.push(self.joined()?);
        }
        Ok(list)
    }

    fn joined(&mut self) -> Result<TableRef> {
        let mut left = self.nested(Self::table_ref)?;
        loop {
            let line = self.line();
            let kind = if self.is("CROSS") && self.is_after(1, "JOIN") {
                self.at += 2;
                JoinKind::Cross
            } else if (self.is("CROSS") || self.is("OUTER")) && self.is_after(1, "APPLY") {
                return Err(SqlError::unsupported("APPLY").at(line));
            } else if self.is("PIVOT") || self.is("UNPIVOT") {
                return Err(SqlError::unsupported("PIVOT").at(line));
            } else if self.accept("JOIN") {
                JoinKind::Inner
            } else if self.is("INNER") {
                self.at += 1;
                self.expect("JOIN")?;
                JoinKind::Inner
            } else if self.is("LEFT") || self.is("RIGHT") || self.is("FULL") {
                let kind = if self.is("LEFT") {
                    JoinKind::Left
                } else if self.is("RIGHT") {
                    JoinKind::Right
                } else {
                    JoinKind::Full
                };
                self.at += 1;
                self.accept("OUTER");
                self.expect("JOIN")?;
                kind
            } else {
                return Ok(left);
            };
            let right = self.nested(Self::table_ref)?;
            let on = if kind == JoinKind::Cross {
                None
            } else {
                self.expect("ON")?;
                Some(self.expr()?)
            };
            left = TableRef::Join {
                kind,
                left: Box::new(left),
                right: Box::new(right),
                on,
            };
        }
    }

    fn table_ref(&mut self) -> Result<TableRef> {
        let line = self.line();
        if self.accept_op("(") {
            if self.is("VALUES") {
                self.at += 1;
                let rows = self.values()?;
                self.expect_op(")")?;
                let query = Query {
                    with: Vec::new(),
                    body: Body::Values(rows),
                    order: Vec::new(),
                    offset: None,
                    fetch: None,
                };
                return self.derived(query);
            }
            if self.starts_query() {
                let query = self.query()?;
                self.expect_op(")")?;
                return self.derived(query);
            }
            let inner = self.joined()?;
            self.expect_op(")")?;
            return Ok(inner);
        }
        let name = self.table_name()?;
        if self.is_op("(") && !self.hints_follow(0) {
            return Err(SqlError::unsupported(format!("the table-valued function {}", name.display())).at(line));
        }
        self.hints()?;
        let own = self.is_identifier() && !self.is("OFFSET") && !self.is("FETCH") && !self.is_statement_word();
        let alias = if self.accept("AS") || own {
            Some(self.identifier()?)
        } else {
            None
        };
        self.hints()?;
        Ok(TableRef::Table { name, alias, line })
    }

    fn derived(&mut self, query: Query) -> Result<TableRef> {
        self.accept("AS");
        let alias = self.identifier()?;
        let columns = if self.is_op("(") {
            self.identifiers()?
        } else {
            Vec::new()
        };
        Ok(TableRef::Derived {
            query: Box::new(query),
            alias,
            columns,
        })
    }

    /// Words that begin a statement without being reserved.
    fn is_statement_word(&self) -> bool {
        self.is("THROW") || (self.is("GO") && self.token_after(1).is_none())
    }

    fn hints_follow(&self, count: usize) -> bool {
        self.is_op_after(count, "(")
            && self
                .token_after(count + 1)
                .is_some_and(|token| HINTS.contains(&token.text.to_ascii_uppercase().as_str()))
    }

    /// `WITH (NOLOCK, ROWLOCK)`, or without WITH.
    pub(super) fn hints(&mut self) -> Result<()> {
        let with = self.is("WITH") && self.is_op_after(1, "(");
        if !with && !self.hints_follow(0) {
            return Ok(());
        }
        self.at += 1 + usize::from(with);
        loop {
            let Some(token) = self.token() else {
                return Err(self.unexpected());
            };
            let hint = token.text.to_ascii_uppercase();
            if !HINTS.contains(&hint.as_str()) {
                return Err(SqlError::unsupported(format!("the table hint {hint}")).at(token.line));
            }
            self.at += 1;
            self.accept_op(",");
            if self.accept_op(")") {
                return Ok(());
            }
        }
    }
}
