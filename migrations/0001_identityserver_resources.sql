-- IdentityServer4 4.1, configuration store: scopes and resources.
--
-- Tables, columns, keys and indexes are those of the library's own script (IdentityServer4, tag 4.1.2,
-- src/EntityFramework.Storage/migrations/SqlServer/Migrations/ConfigurationDb.sql). The library has no DEFAULT
-- constraints: who inserts a row names every column that is NOT NULL.
--
-- A table that is there already, because the application made it, stays as it is.

-- The tables of version 3 have other columns under the same names, and are not changed in passing.
IF OBJECT_ID(N'dbo.ApiClaims', N'U') IS NOT NULL
    THROW 50001, N'This database has the tables of IdentityServer4 2 or 3. Upgrade it to version 4 first.', 1;
GO

-- Claims about a user that a client can ask for: openid, profile, email, ...
IF OBJECT_ID(N'dbo.IdentityResources', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.IdentityResources (
        [Id]                      int IDENTITY(1, 1) NOT NULL,
        [Enabled]                 bit NOT NULL,
        [Name]                    nvarchar(200) NOT NULL,
        [DisplayName]             nvarchar(200) NULL,
        [Description]             nvarchar(1000) NULL,
        [Required]                bit NOT NULL,
        [Emphasize]               bit NOT NULL,
        [ShowInDiscoveryDocument] bit NOT NULL,
        [Created]                 datetime2 NOT NULL,
        [Updated]                 datetime2 NULL,
        [NonEditable]             bit NOT NULL,
        CONSTRAINT PK_IdentityResources PRIMARY KEY ([Id])
    );
    CREATE UNIQUE INDEX IX_IdentityResources_Name ON dbo.IdentityResources ([Name]);
END;
GO

-- The claims that an identity resource stands for.
IF OBJECT_ID(N'dbo.IdentityResourceClaims', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.IdentityResourceClaims (
        [Id]                 int IDENTITY(1, 1) NOT NULL,
        [Type]               nvarchar(200) NOT NULL,
        [IdentityResourceId] int NOT NULL,
        CONSTRAINT PK_IdentityResourceClaims PRIMARY KEY ([Id]),
        CONSTRAINT FK_IdentityResourceClaims_IdentityResources_IdentityResourceId FOREIGN KEY ([IdentityResourceId])
            REFERENCES dbo.IdentityResources ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_IdentityResourceClaims_IdentityResourceId ON dbo.IdentityResourceClaims ([IdentityResourceId]);
END;
GO

IF OBJECT_ID(N'dbo.IdentityResourceProperties', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.IdentityResourceProperties (
        [Id]                 int IDENTITY(1, 1) NOT NULL,
        [Key]                nvarchar(250) NOT NULL,
        [Value]              nvarchar(2000) NOT NULL,
        [IdentityResourceId] int NOT NULL,
        CONSTRAINT PK_IdentityResourceProperties PRIMARY KEY ([Id]),
        CONSTRAINT FK_IdentityResourceProperties_IdentityResources_IdentityResourceId FOREIGN KEY ([IdentityResourceId])
            REFERENCES dbo.IdentityResources ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_IdentityResourceProperties_IdentityResourceId ON dbo.IdentityResourceProperties ([IdentityResourceId]);
END;
GO

-- What a client may do at an API.
IF OBJECT_ID(N'dbo.ApiScopes', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ApiScopes (
        [Id]                      int IDENTITY(1, 1) NOT NULL,
        [Enabled]                 bit NOT NULL,
        [Name]                    nvarchar(200) NOT NULL,
        [DisplayName]             nvarchar(200) NULL,
        [Description]             nvarchar(1000) NULL,
        [Required]                bit NOT NULL,
        [Emphasize]               bit NOT NULL,
        [ShowInDiscoveryDocument] bit NOT NULL,
        CONSTRAINT PK_ApiScopes PRIMARY KEY ([Id])
    );
    CREATE UNIQUE INDEX IX_ApiScopes_Name ON dbo.ApiScopes ([Name]);
END;
GO

-- Claims that a token gets with this scope. The parent is ScopeId, not ApiScopeId.
IF OBJECT_ID(N'dbo.ApiScopeClaims', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ApiScopeClaims (
        [Id]      int IDENTITY(1, 1) NOT NULL,
        [Type]    nvarchar(200) NOT NULL,
        [ScopeId] int NOT NULL,
        CONSTRAINT PK_ApiScopeClaims PRIMARY KEY ([Id]),
        CONSTRAINT FK_ApiScopeClaims_ApiScopes_ScopeId FOREIGN KEY ([ScopeId])
            REFERENCES dbo.ApiScopes ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ApiScopeClaims_ScopeId ON dbo.ApiScopeClaims ([ScopeId]);
END;
GO

IF OBJECT_ID(N'dbo.ApiScopeProperties', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ApiScopeProperties (
        [Id]      int IDENTITY(1, 1) NOT NULL,
        [Key]     nvarchar(250) NOT NULL,
        [Value]   nvarchar(2000) NOT NULL,
        [ScopeId] int NOT NULL,
        CONSTRAINT PK_ApiScopeProperties PRIMARY KEY ([Id]),
        CONSTRAINT FK_ApiScopeProperties_ApiScopes_ScopeId FOREIGN KEY ([ScopeId])
            REFERENCES dbo.ApiScopes ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ApiScopeProperties_ScopeId ON dbo.ApiScopeProperties ([ScopeId]);
END;
GO

-- An API as a whole: its name is the audience of a token.
IF OBJECT_ID(N'dbo.ApiResources', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ApiResources (
        [Id]                                  int IDENTITY(1, 1) NOT NULL,
        [Enabled]                             bit NOT NULL,
        [Name]                                nvarchar(200) NOT NULL,
        [DisplayName]                         nvarchar(200) NULL,
        [Description]                         nvarchar(1000) NULL,
        [AllowedAccessTokenSigningAlgorithms] nvarchar(100) NULL,
        [ShowInDiscoveryDocument]             bit NOT NULL,
        [Created]                             datetime2 NOT NULL,
        [Updated]                             datetime2 NULL,
        [LastAccessed]                        datetime2 NULL,
        [NonEditable]                         bit NOT NULL,
        CONSTRAINT PK_ApiResources PRIMARY KEY ([Id])
    );
    CREATE UNIQUE INDEX IX_ApiResources_Name ON dbo.ApiResources ([Name]);
END;
GO

-- Claims about the user that this API needs.
IF OBJECT_ID(N'dbo.ApiResourceClaims', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ApiResourceClaims (
        [Id]            int IDENTITY(1, 1) NOT NULL,
        [Type]          nvarchar(200) NOT NULL,
        [ApiResourceId] int NOT NULL,
        CONSTRAINT PK_ApiResourceClaims PRIMARY KEY ([Id]),
        CONSTRAINT FK_ApiResourceClaims_ApiResources_ApiResourceId FOREIGN KEY ([ApiResourceId])
            REFERENCES dbo.ApiResources ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ApiResourceClaims_ApiResourceId ON dbo.ApiResourceClaims ([ApiResourceId]);
END;
GO

IF OBJECT_ID(N'dbo.ApiResourceProperties', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ApiResourceProperties (
        [Id]            int IDENTITY(1, 1) NOT NULL,
        [Key]           nvarchar(250) NOT NULL,
        [Value]         nvarchar(2000) NOT NULL,
        [ApiResourceId] int NOT NULL,
        CONSTRAINT PK_ApiResourceProperties PRIMARY KEY ([Id]),
        CONSTRAINT FK_ApiResourceProperties_ApiResources_ApiResourceId FOREIGN KEY ([ApiResourceId])
            REFERENCES dbo.ApiResources ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ApiResourceProperties_ApiResourceId ON dbo.ApiResourceProperties ([ApiResourceId]);
END;
GO

-- The scopes of an API, by name. There is no foreign key to ApiScopes.
IF OBJECT_ID(N'dbo.ApiResourceScopes', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ApiResourceScopes (
        [Id]            int IDENTITY(1, 1) NOT NULL,
        [Scope]         nvarchar(200) NOT NULL,
        [ApiResourceId] int NOT NULL,
        CONSTRAINT PK_ApiResourceScopes PRIMARY KEY ([Id]),
        CONSTRAINT FK_ApiResourceScopes_ApiResources_ApiResourceId FOREIGN KEY ([ApiResourceId])
            REFERENCES dbo.ApiResources ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ApiResourceScopes_ApiResourceId ON dbo.ApiResourceScopes ([ApiResourceId]);
END;
GO

-- Secrets with which the API itself calls the introspection endpoint. Value is a hash.
IF OBJECT_ID(N'dbo.ApiResourceSecrets', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ApiResourceSecrets (
        [Id]            int IDENTITY(1, 1) NOT NULL,
        [Description]   nvarchar(1000) NULL,
        [Value]         nvarchar(4000) NOT NULL,
        [Expiration]    datetime2 NULL,
        [Type]          nvarchar(250) NOT NULL,
        [Created]       datetime2 NOT NULL,
        [ApiResourceId] int NOT NULL,
        CONSTRAINT PK_ApiResourceSecrets PRIMARY KEY ([Id]),
        CONSTRAINT FK_ApiResourceSecrets_ApiResources_ApiResourceId FOREIGN KEY ([ApiResourceId])
            REFERENCES dbo.ApiResources ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ApiResourceSecrets_ApiResourceId ON dbo.ApiResourceSecrets ([ApiResourceId]);
END;
GO
