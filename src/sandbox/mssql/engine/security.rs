//! Databases come and go, logins, users, roles and permissions.

use std::fs::OpenOptions;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use sha2::Digest;

use super::{Database, Engine, open_file};
use crate::sandbox::mssql::ast::{Kind, Name};
use crate::sandbox::mssql::catalog::{self, FIXED_ROLES, Grant, Principal, Security, same};
use crate::sandbox::mssql::datetime::Moment;
use crate::sandbox::mssql::errors::{Effect, Result, SqlError};
use crate::sandbox::mssql::{Login, safe_file_name};

/// Who a session is.
#[derive(Clone, Debug)]
pub struct Authenticated {
    pub name: String,
    /// May do everything: the login that the sandbox was opened with, and members of sysadmin.
    pub admin: bool,
}

/// So often a password is hashed: slow for who tries many, quick enough for a login.
const ROUNDS: u32 = 20_000;

/// How long a change of a password from outside waits for others.
const PASSWORD_PATIENCE: std::time::Duration = std::time::Duration::from_millis(200);

fn hash(password: &str, salt: &[u8]) -> Vec<u8> {
    let mut digest = sha2::Sha512::digest([salt, password.as_bytes()].concat()).to_vec();
    for _ in 0..ROUNDS {
        digest = sha2::Sha512::digest([salt, digest.as_slice()].concat()).to_vec();
    }
    digest
}

/// Whether two byte strings are equal, without telling where they differ.
fn equal(one: &[u8], two: &[u8]) -> bool {
    one.len() == two.len() && one.iter().zip(two).fold(0, |sum, (one, two)| sum | (one ^ two)) == 0
}

/// Checks a login. `None`: error 18456.
///
/// The login that the server was opened with is made when it is not there, with all rights; from then on its password is
/// the one it was made with, as on any server.
pub fn authenticate(dir: &Path, admin: &Login, user: &str, password: &str) -> Result<Option<Authenticated>> {
    let connection = open_file(&dir.join(crate::sandbox::mssql::MASTER_FILE))?;
    if same(user, &admin.user) {
        let known = "SELECT 1 FROM \"$logins\" WHERE name = ?1 COLLATE MSSQL";
        if connection.query_row(known, [user], |_| Ok(())).optional()?.is_none() {
            let salt: [u8; 16] = rand::random();
            // Two processes may come at once: one of them makes it.
            connection.execute(
                "INSERT INTO \"$logins\" (name, salt, hash, created, admin) SELECT ?1, ?2, ?3, ?4, 1
                 WHERE NOT EXISTS (SELECT 1 FROM \"$logins\" WHERE name = ?1 COLLATE MSSQL)",
                params![
                    admin.user,
                    salt,
                    hash(admin.password.expose(), &salt),
                    Moment::now_utc().round_datetime().stored()
                ],
            )?;
        }
    }
    let found: Option<(String, Vec<u8>, Vec<u8>, bool)> = connection
        .query_row(
            "SELECT name, salt, hash, admin FROM \"$logins\" WHERE name = ?1 COLLATE MSSQL",
            [user],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    Ok(found.and_then(|(name, salt, kept, admin)| {
        equal(&hash(password, &salt), &kept).then_some(Authenticated { name, admin })
    }))
}

/// Sets the password of the login that may do everything, from outside of any session. `false`: another transaction
/// holds the file, and whoever waits here may hold what that one needs.
pub fn set_password(dir: &Path, login: &Login) -> Result<bool> {
    let connection = open_file(&dir.join(crate::sandbox::mssql::MASTER_FILE))?;
    connection.busy_timeout(PASSWORD_PATIENCE)?;
    let salt: [u8; 16] = rand::random();
    let hash = hash(login.password.expose(), &salt);
    // Whoever returns early drops the connection, which rolls back.
    if is_busy(connection.execute_batch("BEGIN IMMEDIATE"))? {
        return Ok(false);
    }
    prepare_master(&connection)?;
    let changed = connection.execute(
        "UPDATE \"$logins\" SET salt = ?2, hash = ?3, admin = 1 WHERE name = ?1 COLLATE MSSQL",
        params![login.user, salt, hash],
    )?;
    if changed == 0 {
        connection.execute(
            "INSERT INTO \"$logins\" (name, salt, hash, created, admin) VALUES (?1, ?2, ?3, ?4, 1)",
            params![login.user, salt, hash, Moment::now_utc().round_datetime().stored()],
        )?;
    }
    Ok(!is_busy(connection.execute_batch("COMMIT"))?)
}

/// Whether it failed only because another connection holds the file.
pub(in crate::sandbox::mssql) fn is_busy(result: rusqlite::Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(false),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The number of a new database. Numbers are not used twice, so that a session never takes a new database for an old one.
pub(in crate::sandbox::mssql) fn next_number(master: &Connection) -> rusqlite::Result<i64> {
    master.query_row(
        "SELECT max(id, 4) + 1 FROM (SELECT max(id) AS id FROM
         (SELECT id FROM main.\"$databases\" UNION ALL SELECT last FROM main.\"$identity\" WHERE id = 0))",
        [],
        |row| row.get(0),
    )
}

/// Enters a database, whose file is there, into the list of the server's.
pub(in crate::sandbox::mssql) fn list_database(
    master: &Connection,
    id: i64,
    name: &str,
    file: &str,
) -> rusqlite::Result<()> {
    master.execute(
        "INSERT INTO main.\"$databases\" (id, name, file, created) VALUES (?1, ?2, ?3, ?4)",
        params![id, name, file, Moment::now_utc().round_datetime().stored()],
    )?;
    master.execute(
        "INSERT OR REPLACE INTO main.\"$identity\" (id, last) VALUES (0, ?1)",
        [id],
    )?;
    Ok(())
}

impl Engine {
    pub(super) fn save_security(&mut self, database: &Database, security: &Security) -> Result<()> {
        self.write(|engine| {
            catalog::put_security(&engine.connection, &database.alias, security)?;
            engine.forget_catalog(database);
            Ok(())
        })
    }

    pub(super) fn create_database(&mut self, name: &str) -> Result<()> {
        self.refuse_in_transaction("CREATE DATABASE")?;
        self.need_admin("CREATE DATABASE permission denied in database 'master'.", 262)?;
        let taken = |engine: &Self| -> Result<bool> {
            Ok(engine.databases()?.iter().any(|row| same(&row.name, name))
                || ["tempdb", "model", "msdb"].iter().any(|own| same(own, name)))
        };
        if taken(self)? {
            return Err(SqlError::new(
                1801,
                16,
                format!("Database '{name}' already exists. Choose a different database name."),
            )
            .state(3));
        }
        self.write(|engine| {
            if taken(engine)? {
                return Err(SqlError::new(
                    1801,
                    16,
                    format!("Database '{name}' already exists. Choose a different database name."),
                ));
            }
            let id = next_number(&engine.connection).map_err(|error| engine.sqlite(error))?;
            let file = safe_file_name(name, id);
            // The file comes first: one that no row names is overwritten by the next of that number.
            let path = engine.dir.join(&file);
            if path.exists() {
                std::fs::remove_file(&path).map_err(SqlError::internal)?;
            }
            prepare_file(&open_file(&path)?)?;
            list_database(&engine.connection, id, name, &file).map_err(|error| engine.sqlite(error))?;
            Ok(())
        })
    }

    pub(super) fn drop_database(&mut self, name: &str, if_exists: bool) -> Result<()> {
        self.refuse_in_transaction("DROP DATABASE")?;
        let rows = self.databases()?;
        let Some(row) = rows.iter().find(|row| same(&row.name, name)).cloned() else {
            if if_exists {
                return Ok(());
            }
            return Err(SqlError::new(
                3701,
                11,
                format!("Cannot drop the database '{name}', because it does not exist or you do not have permission."),
            ));
        };
        if row.id <= 4 {
            return Err(SqlError::new(
                3708,
                16,
                format!("Cannot drop the database '{name}' because it is a system database."),
            ));
        }
        self.need_admin(
            &format!("Cannot drop the database '{name}', because it does not exist or you do not have permission."),
            3701,
        )?;
        let in_use = || {
            SqlError::new(
                3702,
                16,
                format!("Cannot drop database \"{}\" because it is currently in use.", row.name),
            )
        };
        if self.database.id == row.id {
            return Err(in_use());
        }
        let mark = self.open_mark(row.id)?;
        if mark.try_lock().is_err() {
            return Err(in_use());
        }
        self.detach_others()?;
        self.write(|engine| {
            engine
                .connection
                .execute("DELETE FROM main.\"$databases\" WHERE id = ?1", [row.id])
                .map_err(|error| engine.sqlite(error))?;
            Ok(())
        })?;
        self.detach_others()?;
        // Nothing names the file any more. Where it cannot be removed it is only litter.
        if let Err(error) = std::fs::remove_file(self.dir.join(&row.file)) {
            tracing::warn!("the file of the dropped database stays: {error}");
        }
        Ok(())
    }

    fn open_mark(&self, id: i64) -> Result<std::fs::File> {
        let dir = self.dir.join("locks");
        std::fs::create_dir_all(&dir).map_err(SqlError::internal)?;
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(dir.join(format!("database-{id}")))
            .map_err(SqlError::internal)
    }

    /// Marks a database as in use by this session, in all processes.
    pub(super) fn mark_in_use(&self, database: &Database) -> Result<Option<std::fs::File>> {
        if database.id == 1 {
            return Ok(None);
        }
        let mark = self.open_mark(database.id)?;
        match mark.try_lock_shared() {
            Ok(()) => Ok(Some(mark)),
            Err(_) => Err(SqlError::new(
                952,
                16,
                format!(
                    "Database '{}' is in transition. Try the statement later.",
                    database.name
                ),
            )),
        }
    }

    pub(super) fn alter_database(&mut self, name: Option<&str>, option: &str, effective: bool) -> Result<()> {
        let database = match name {
            Some(name) => self.attach(name)?,
            None => self.database.clone(),
        };
        self.need_admin(
            &format!("User does not have permission to alter database '{}'.", database.name),
            5011,
        )?;
        if effective && option.starts_with("SINGLE_USER") {
            // Other sessions cannot be thrown out here; alone, a session is the single user.
            let own = if self.database.id == database.id {
                self.in_use.take()
            } else {
                None
            };
            drop(own);
            let alone = self.open_mark(database.id)?.try_lock().is_ok();
            if self.database.id == database.id {
                self.in_use = self.mark_in_use(&database)?;
            }
            if !alone {
                return Err(SqlError::unsupported(format!(
                    "SINGLE_USER while other sessions use the database '{}'",
                    database.name
                )));
            }
        }
        Ok(())
    }

    pub(super) fn need_admin(&self, message: &str, number: u32) -> Result<()> {
        if self.login.admin {
            Ok(())
        } else {
            Err(SqlError::new(number, 14, message))
        }
    }

    /// The user of this session in the current database; error 916 when it has none.
    pub fn user_name(&mut self) -> Result<String> {
        let database = self.database.clone();
        Ok(self.user_in(&database)?.unwrap_or_else(|| "guest".to_owned()))
    }

    fn user_in(&mut self, database: &Database) -> Result<Option<String>> {
        if self.login.admin {
            return Ok(Some("dbo".to_owned()));
        }
        let catalog = self.catalog(database)?;
        let login = self.login.name.clone();
        Ok(catalog
            .security
            .principals
            .iter()
            .find(|principal| principal.login.as_ref().is_some_and(|own| same(own, &login)))
            .map(|principal| principal.name.clone()))
    }

    /// Whether the session may use a database.
    pub fn check_access(&mut self, database: &Database) -> Result<()> {
        if database.id <= 2 || self.user_in(database)?.is_some() {
            return Ok(());
        }
        Err(SqlError::new(
            916,
            14,
            format!(
                "The server principal \"{}\" is not able to access the database \"{}\" under the current security context.",
                self.login.name, database.name
            ),
        ))
    }

    /// The user's roles, and the user itself and `public`.
    fn roles(&mut self, database: &Database) -> Result<Vec<String>> {
        let Some(user) = self.user_in(database)? else {
            return Ok(vec!["public".to_owned()]);
        };
        let catalog = self.catalog(database)?;
        let mut all = vec![user, "public".to_owned()];
        let mut at = 0;
        while at < all.len() {
            for (role, member) in &catalog.security.members {
                if same(member, &all[at]) && !super::calls::any_of(role, &all) {
                    all.push(role.clone());
                }
            }
            at += 1;
        }
        Ok(all)
    }

    pub fn check_permission(
        &mut self,
        permission: &str,
        database: &Database,
        schema: &str,
        object: &str,
        id: i64,
    ) -> Result<()> {
        if self.login.admin || database.alias == "temp" {
            return Ok(());
        }
        self.check_access(database)?;
        let roles = self.roles(database)?;
        let has = |role: &str| super::calls::any_of(role, &roles);
        let catalog = self.catalog(database)?;
        let grants: Vec<&Grant> = catalog
            .security
            .grants
            .iter()
            .filter(|grant| {
                has(&grant.to)
                    && (grant.permission == permission || grant.permission == "CONTROL")
                    && match &grant.schema {
                        Some(own) => same(own, schema),
                        None => grant.object == 0 || grant.object == id,
                    }
            })
            .collect();
        let write = matches!(permission, "INSERT" | "UPDATE" | "DELETE");
        let denied = grants.iter().any(|grant| grant.deny)
            || (permission == "SELECT" && has("db_denydatareader"))
            || (write && has("db_denydatawriter"));
        let allowed = has("db_owner")
            || !grants.is_empty()
            || (permission == "SELECT" && has("db_datareader"))
            || (write && has("db_datawriter"))
            || (permission == "ALTER" && has("db_ddladmin"));
        if allowed && !denied {
            return Ok(());
        }
        Err(SqlError::new(
            229,
            14,
            format!(
                "The {permission} permission was denied on the object '{object}', database '{}', schema '{schema}'.",
                database.name
            ),
        )
        .state(5))
    }

    pub(super) fn check_ddl(&mut self, database: &Database) -> Result<()> {
        if self.login.admin || database.alias == "temp" {
            return Ok(());
        }
        self.check_access(database)?;
        let roles = self.roles(database)?;
        if ["db_owner", "db_ddladmin"]
            .iter()
            .any(|role| super::calls::any_of(role, &roles))
        {
            return Ok(());
        }
        Err(SqlError::new(
            262,
            14,
            format!("CREATE and ALTER permission denied in database '{}'.", database.name),
        ))
    }

    pub fn is_role_member(&mut self, role: &str) -> Result<Option<i64>> {
        let database = self.database.clone();
        let roles = self.roles(&database)?;
        let known = FIXED_ROLES.iter().any(|(_, fixed)| same(fixed, role))
            || same(role, "public")
            || self
                .catalog(&database)?
                .principal(role)
                .is_some_and(|principal| principal.role);
        Ok(
            known
                .then(|| i64::from(super::calls::any_of(role, &roles) || (self.login.admin && same(role, "db_owner")))),
        )
    }

    pub fn is_server_role_member(&self, role: &str) -> Option<i64> {
        match role.to_lowercase().as_str() {
            "sysadmin" | "serveradmin" | "securityadmin" | "dbcreator" | "processadmin" | "setupadmin"
            | "diskadmin" | "bulkadmin" => Some(self.login.admin.into()),
            "public" => Some(1),
            _ => None,
        }
    }

    pub(super) fn principals(&mut self, kind: &Kind) -> Result<()> {
        match kind {
            Kind::CreateLogin { name, password, alter } => {
                self.need_admin("User does not have permission to perform this action.", 15247)?;
                let password = self.text(password)?;
                let salt: [u8; 16] = rand::random();
                let hashed = hash(&password, &salt);
                self.write(|engine| {
                    let known = engine.login_exists(name)?;
                    if *alter && !known {
                        return Err(SqlError::new(15151, 16, format!("Cannot alter the login '{name}', because it does not exist or you do not have permission.")));
                    }
                    if !*alter && known {
                        return Err(SqlError::new(15025, 16, format!("The server principal '{name}' already exists.")));
                    }
                    let sql = if *alter {
                        "UPDATE main.\"$logins\" SET salt = ?2, hash = ?3 WHERE name = ?1 COLLATE MSSQL"
                    } else {
                        "INSERT INTO main.\"$logins\" (name, salt, hash, created) VALUES (?1, ?2, ?3, ?4)"
                    };
                    let created = Moment::now_utc().round_datetime().stored();
                    let done = if *alter {
                        engine.connection.execute(sql, params![name, salt, hashed])
                    } else {
                        engine.connection.execute(sql, params![name, salt, hashed, created])
                    };
                    done.map(|_| ()).map_err(|error| engine.sqlite(error))
                })
            }
            Kind::RoleMember {
                role,
                member,
                add,
                server: true,
            } => {
                self.need_admin("User does not have permission to perform this action.", 15247)?;
                if !same(role, "sysadmin") {
                    return Err(SqlError::unsupported(format!("the server role {role}")));
                }
                if !self.login_exists(member)? {
                    return Err(SqlError::new(
                        15151,
                        16,
                        format!(
                            "Cannot add the principal '{member}', because it does not exist or you do not have permission."
                        ),
                    ));
                }
                self.write(|engine| {
                    engine
                        .connection
                        .execute(
                            "UPDATE main.\"$logins\" SET admin = ?2 WHERE name = ?1 COLLATE MSSQL",
                            params![member, add],
                        )
                        .map(|_| ())
                        .map_err(|error| engine.sqlite(error))
                })
            }
            Kind::CreateUser { name, login } => {
                let login = login.clone().unwrap_or_else(|| name.clone());
                if !self.login_exists(&login)? {
                    return Err(SqlError::new(
                        15007,
                        16,
                        format!("'{login}' is not a valid login or you do not have permission."),
                    ));
                }
                self.add_principal(name, false, Some(login))
            }
            Kind::CreateRole(name) => self.add_principal(name, true, None),
            Kind::RoleMember { role, member, add, .. } => {
                let database = self.database.clone();
                self.need_owner(&database)?;
                let catalog = self.catalog(&database)?;
                let fixed = FIXED_ROLES
                    .iter()
                    .map(|(_, fixed)| *fixed)
                    .find(|fixed| same(fixed, role));
                let known = fixed.map(str::to_owned).or_else(|| {
                    catalog
                        .principal(role)
                        .filter(|principal| principal.role)
                        .map(|principal| principal.name.clone())
                });
                let Some(role) = known else {
                    return Err(SqlError::new(
                        15151,
                        16,
                        format!(
                            "Cannot alter the role '{role}', because it does not exist or you do not have permission."
                        ),
                    ));
                };
                let Some(member) = catalog.principal(member).map(|principal| principal.name.clone()) else {
                    return Err(SqlError::new(
                        15151,
                        16,
                        format!(
                            "Cannot add the principal '{member}', because it does not exist or you do not have permission."
                        ),
                    ));
                };
                let mut security = catalog.security.clone();
                security.members.retain(|pair| *pair != (role.clone(), member.clone()));
                if *add {
                    security.members.push((role, member));
                }
                self.save_security(&database, &security)
            }
            Kind::Grant {
                deny,
                revoke,
                permissions,
                on,
                to,
            } => self.grant(*deny, *revoke, permissions, on.as_ref(), to),
            _ => Err(SqlError::internal("a statement that nothing runs")),
        }
    }

    fn need_owner(&mut self, database: &Database) -> Result<()> {
        if self.login.admin || super::calls::any_of("db_owner", &self.roles(database)?) {
            return Ok(());
        }
        Err(SqlError::new(
            15247,
            16,
            "User does not have permission to perform this action.",
        ))
    }

    fn login_exists(&self, name: &str) -> Result<bool> {
        let count: i64 = self
            .connection
            .query_row(
                "SELECT count(*) FROM main.\"$logins\" WHERE name = ?1 COLLATE MSSQL",
                [name],
                |row| row.get(0),
            )
            .map_err(|error| self.sqlite(error))?;
        Ok(count > 0)
    }

    fn add_principal(&mut self, name: &str, role: bool, login: Option<String>) -> Result<()> {
        let database = self.database.clone();
        self.need_owner(&database)?;
        let catalog = self.catalog(&database)?;
        let reserved = ["dbo", "guest", "sys", "INFORMATION_SCHEMA", "public"]
            .iter()
            .any(|own| same(own, name))
            || FIXED_ROLES.iter().any(|(_, own)| same(own, name));
        if reserved || catalog.principal(name).is_some() {
            return Err(SqlError::new(
                15023,
                16,
                format!("User, group, or role '{name}' already exists in the current database."),
            ));
        }
        let mut security = catalog.security.clone();
        if let Some(login) = &login
            && security
                .principals
                .iter()
                .any(|other| other.login.as_ref().is_some_and(|own| same(own, login)))
        {
            return Err(SqlError::new(
                15063,
                16,
                "The login already has an account under a different user name.",
            ));
        }
        let id = security
            .principals
            .iter()
            .map(|principal| principal.id)
            .max()
            .unwrap_or(4)
            + 1;
        let created = Moment::now_utc().round_datetime().stored();
        security.principals.push(Principal {
            id,
            name: name.to_owned(),
            role,
            login,
            created,
        });
        self.save_security(&database, &security)
    }

    pub(super) fn drop_principal(&mut self, what: &str, name: &str, if_exists: bool) -> Result<()> {
        let missing = || {
            SqlError::new(
                15151,
                16,
                format!("Cannot drop the {what} '{name}', because it does not exist or you do not have permission."),
            )
        };
        if what == "login" {
            self.need_admin("User does not have permission to perform this action.", 15247)?;
            if !self.login_exists(name)? {
                return Err(missing());
            }
            return self.write(|engine| {
                engine
                    .connection
                    .execute("DELETE FROM main.\"$logins\" WHERE name = ?1 COLLATE MSSQL", [name])
                    .map(|_| ())
                    .map_err(|error| engine.sqlite(error))
            });
        }
        let database = self.database.clone();
        self.need_owner(&database)?;
        let mut security = self.catalog(&database)?.security.clone();
        let before = security.principals.len();
        security
            .principals
            .retain(|principal| !(same(&principal.name, name) && principal.role == (what == "role")));
        if before == security.principals.len() {
            return if if_exists { Ok(()) } else { Err(missing()) };
        }
        security
            .members
            .retain(|(role, member)| !same(role, name) && !same(member, name));
        security.grants.retain(|grant| !same(&grant.to, name));
        self.save_security(&database, &security)
    }

    fn grant(&mut self, deny: bool, revoke: bool, permissions: &[String], on: Option<&Name>, to: &str) -> Result<()> {
        let database = self.database.clone();
        self.need_owner(&database)?;
        let catalog = self.catalog(&database)?;
        if catalog.principal(to).is_none() && !same(to, "public") {
            return Err(SqlError::new(
                15151,
                16,
                format!("Cannot find the user '{to}', because it does not exist or you do not have permission."),
            ));
        }
        let (mut object, mut schema) = (0, None);
        if let Some(name) = on {
            if name.last().is_empty() {
                schema = name.0.first().cloned();
                if schema.as_ref().is_none_or(|own| catalog.schema(own).is_none()) {
                    return Err(SqlError::new(
                        15151,
                        16,
                        "Cannot find the schema, because it does not exist or you do not have permission.",
                    ));
                }
            } else {
                let place = self.place(name)?;
                object = catalog
                    .object(&place.schema, &place.name)
                    .map(|object| object.id)
                    .ok_or_else(|| {
                        SqlError::new(
                            15151,
                            16,
                            format!(
                                "Cannot find the object '{}', because it does not exist or you do not have permission.",
                                name.last()
                            ),
                        )
                    })?;
            }
        }
        let mut security = catalog.security.clone();
        for permission in permissions {
            // What is enforced here; others would be a silent yes.
            if ![
                "SELECT",
                "INSERT",
                "UPDATE",
                "DELETE",
                "ALTER",
                "CONTROL",
                "CONNECT",
                "REFERENCES",
                "EXECUTE",
            ]
            .contains(&permission.as_str())
            {
                return Err(SqlError::unsupported(format!("the permission {permission}")).effect(Effect::Statement));
            }
            let grant = Grant {
                permission: permission.clone(),
                object,
                schema: schema.clone(),
                to: to.to_owned(),
                deny,
            };
            security.grants.retain(|other| {
                !(other.permission == grant.permission
                    && other.object == object
                    && other.schema == schema
                    && same(&other.to, to))
            });
            if !revoke {
                security.grants.push(grant);
            }
        }
        self.save_security(&database, &security)
    }
}

/// The tables of the catalog in a new file.
pub fn prepare_file(connection: &Connection) -> Result<()> {
    connection.execute_batch(&catalog::SCHEMA.replace("{}.", "main."))?;
    Ok(())
}

/// `master`: the catalog, the list of databases and the logins.
pub fn prepare_master(connection: &Connection) -> Result<()> {
    prepare_file(connection)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS \"$databases\" (id INTEGER PRIMARY KEY, name TEXT NOT NULL, file TEXT NOT NULL,
             created TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS \"$logins\" (id INTEGER PRIMARY KEY, name TEXT NOT NULL, salt BLOB NOT NULL,
             hash BLOB NOT NULL, created TEXT NOT NULL, admin INTEGER NOT NULL DEFAULT 0);",
    )?;
    connection.execute(
        "INSERT OR IGNORE INTO \"$databases\" (id, name, file, created) VALUES (1, 'master', ?1, ?2)",
        params![
            crate::sandbox::mssql::MASTER_FILE,
            Moment::now_utc().round_datetime().stored()
        ],
    )?;
    Ok(())
}
