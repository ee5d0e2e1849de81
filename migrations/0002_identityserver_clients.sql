-- IdentityServer4 4.1, configuration store: clients.
--
-- Source as in 0001_identityserver_resources.sql. Deleting a client deletes its rows in all tables of this file; its
-- tokens and consents (0003_identityserver_grants.sql) stay.

-- ClientId is the public name; the ClientId of the tables below is the number Clients.Id.
IF OBJECT_ID(N'dbo.Clients', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.Clients (
        [Id]                                    int IDENTITY(1, 1) NOT NULL,
        [Enabled]                               bit NOT NULL,
        [ClientId]                              nvarchar(200) NOT NULL,
        [ProtocolType]                          nvarchar(200) NOT NULL,
        [RequireClientSecret]                   bit NOT NULL,
        [ClientName]                            nvarchar(200) NULL,
        [Description]                           nvarchar(1000) NULL,
        [ClientUri]                             nvarchar(2000) NULL,
        [LogoUri]                               nvarchar(2000) NULL,
        [RequireConsent]                        bit NOT NULL,
        [AllowRememberConsent]                  bit NOT NULL,
        [AlwaysIncludeUserClaimsInIdToken]      bit NOT NULL,
        [RequirePkce]                           bit NOT NULL,
        [AllowPlainTextPkce]                    bit NOT NULL,
        [RequireRequestObject]                  bit NOT NULL,
        [AllowAccessTokensViaBrowser]           bit NOT NULL,
        [FrontChannelLogoutUri]                 nvarchar(2000) NULL,
        [FrontChannelLogoutSessionRequired]     bit NOT NULL,
        [BackChannelLogoutUri]                  nvarchar(2000) NULL,
        [BackChannelLogoutSessionRequired]      bit NOT NULL,
        [AllowOfflineAccess]                    bit NOT NULL,
        [IdentityTokenLifetime]                 int NOT NULL,
        [AllowedIdentityTokenSigningAlgorithms] nvarchar(100) NULL,
        [AccessTokenLifetime]                   int NOT NULL,
        [AuthorizationCodeLifetime]             int NOT NULL,
        [ConsentLifetime]                       int NULL,
        [AbsoluteRefreshTokenLifetime]          int NOT NULL,
        [SlidingRefreshTokenLifetime]           int NOT NULL,
        [RefreshTokenUsage]                     int NOT NULL,
        [UpdateAccessTokenClaimsOnRefresh]      bit NOT NULL,
        [RefreshTokenExpiration]                int NOT NULL,
        [AccessTokenType]                       int NOT NULL,
        [EnableLocalLogin]                      bit NOT NULL,
        [IncludeJwtId]                          bit NOT NULL,
        [AlwaysSendClientClaims]                bit NOT NULL,
        [ClientClaimsPrefix]                    nvarchar(200) NULL,
        [PairWiseSubjectSalt]                   nvarchar(200) NULL,
        [Created]                               datetime2 NOT NULL,
        [Updated]                               datetime2 NULL,
        [LastAccessed]                          datetime2 NULL,
        [UserSsoLifetime]                       int NULL,
        [UserCodeType]                          nvarchar(100) NULL,
        [DeviceCodeLifetime]                    int NOT NULL,
        [NonEditable]                           bit NOT NULL,
        CONSTRAINT PK_Clients PRIMARY KEY ([Id])
    );
    CREATE UNIQUE INDEX IX_Clients_ClientId ON dbo.Clients ([ClientId]);
END;
GO

-- Claims about the client itself.
IF OBJECT_ID(N'dbo.ClientClaims', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientClaims (
        [Id]       int IDENTITY(1, 1) NOT NULL,
        [Type]     nvarchar(250) NOT NULL,
        [Value]    nvarchar(250) NOT NULL,
        [ClientId] int NOT NULL,
        CONSTRAINT PK_ClientClaims PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientClaims_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientClaims_ClientId ON dbo.ClientClaims ([ClientId]);
END;
GO

-- Origins of browsers that may call the token endpoint: scheme, host and port, in lower case.
IF OBJECT_ID(N'dbo.ClientCorsOrigins', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientCorsOrigins (
        [Id]       int IDENTITY(1, 1) NOT NULL,
        [Origin]   nvarchar(150) NOT NULL,
        [ClientId] int NOT NULL,
        CONSTRAINT PK_ClientCorsOrigins PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientCorsOrigins_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientCorsOrigins_ClientId ON dbo.ClientCorsOrigins ([ClientId]);
END;
GO

-- How the client may ask for tokens: client_credentials, authorization_code, ...
IF OBJECT_ID(N'dbo.ClientGrantTypes', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientGrantTypes (
        [Id]        int IDENTITY(1, 1) NOT NULL,
        [GrantType] nvarchar(250) NOT NULL,
        [ClientId]  int NOT NULL,
        CONSTRAINT PK_ClientGrantTypes PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientGrantTypes_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientGrantTypes_ClientId ON dbo.ClientGrantTypes ([ClientId]);
END;
GO

-- The external identity providers that the client allows. None: all of them.
IF OBJECT_ID(N'dbo.ClientIdPRestrictions', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientIdPRestrictions (
        [Id]       int IDENTITY(1, 1) NOT NULL,
        [Provider] nvarchar(200) NOT NULL,
        [ClientId] int NOT NULL,
        CONSTRAINT PK_ClientIdPRestrictions PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientIdPRestrictions_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientIdPRestrictions_ClientId ON dbo.ClientIdPRestrictions ([ClientId]);
END;
GO

IF OBJECT_ID(N'dbo.ClientPostLogoutRedirectUris', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientPostLogoutRedirectUris (
        [Id]                    int IDENTITY(1, 1) NOT NULL,
        [PostLogoutRedirectUri] nvarchar(2000) NOT NULL,
        [ClientId]              int NOT NULL,
        CONSTRAINT PK_ClientPostLogoutRedirectUris PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientPostLogoutRedirectUris_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientPostLogoutRedirectUris_ClientId ON dbo.ClientPostLogoutRedirectUris ([ClientId]);
END;
GO

IF OBJECT_ID(N'dbo.ClientProperties', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientProperties (
        [Id]       int IDENTITY(1, 1) NOT NULL,
        [Key]      nvarchar(250) NOT NULL,
        [Value]    nvarchar(2000) NOT NULL,
        [ClientId] int NOT NULL,
        CONSTRAINT PK_ClientProperties PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientProperties_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientProperties_ClientId ON dbo.ClientProperties ([ClientId]);
END;
GO

IF OBJECT_ID(N'dbo.ClientRedirectUris', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientRedirectUris (
        [Id]          int IDENTITY(1, 1) NOT NULL,
        [RedirectUri] nvarchar(2000) NOT NULL,
        [ClientId]    int NOT NULL,
        CONSTRAINT PK_ClientRedirectUris PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientRedirectUris_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientRedirectUris_ClientId ON dbo.ClientRedirectUris ([ClientId]);
END;
GO

-- The names of the scopes and identity resources that the client may ask for. No foreign key.
IF OBJECT_ID(N'dbo.ClientScopes', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientScopes (
        [Id]       int IDENTITY(1, 1) NOT NULL,
        [Scope]    nvarchar(200) NOT NULL,
        [ClientId] int NOT NULL,
        CONSTRAINT PK_ClientScopes PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientScopes_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientScopes_ClientId ON dbo.ClientScopes ([ClientId]);
END;
GO

-- Several rows may be valid at once, which is how a secret is rotated. Value is a hash.
IF OBJECT_ID(N'dbo.ClientSecrets', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.ClientSecrets (
        [Id]          int IDENTITY(1, 1) NOT NULL,
        [Description] nvarchar(2000) NULL,
        [Value]       nvarchar(4000) NOT NULL,
        [Expiration]  datetime2 NULL,
        [Type]        nvarchar(250) NOT NULL,
        [Created]     datetime2 NOT NULL,
        [ClientId]    int NOT NULL,
        CONSTRAINT PK_ClientSecrets PRIMARY KEY ([Id]),
        CONSTRAINT FK_ClientSecrets_Clients_ClientId FOREIGN KEY ([ClientId])
            REFERENCES dbo.Clients ([Id]) ON DELETE CASCADE
    );
    CREATE INDEX IX_ClientSecrets_ClientId ON dbo.ClientSecrets ([ClientId]);
END;
GO
