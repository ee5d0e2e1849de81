-- IdentityServer4 4.1, operational store: what the service writes while it runs.
--
-- Source: IdentityServer4, tag 4.1.2,
-- src/EntityFramework.Storage/migrations/SqlServer/Migrations/PersistedGrantDb.sql. These rows cannot be made again:
-- without them, users log in anew and refresh tokens end.

-- Device authorizations that wait for their user.
IF OBJECT_ID(N'dbo.DeviceCodes', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.DeviceCodes (
        [UserCode]     nvarchar(200) NOT NULL,
        [DeviceCode]   nvarchar(200) NOT NULL,
        [SubjectId]    nvarchar(200) NULL,
        [SessionId]    nvarchar(100) NULL,
        [ClientId]     nvarchar(200) NOT NULL,
        [Description]  nvarchar(200) NULL,
        [CreationTime] datetime2 NOT NULL,
        [Expiration]   datetime2 NOT NULL,
        [Data]         nvarchar(max) NOT NULL,
        CONSTRAINT PK_DeviceCodes PRIMARY KEY ([UserCode])
    );
    CREATE UNIQUE INDEX IX_DeviceCodes_DeviceCode ON dbo.DeviceCodes ([DeviceCode]);
    CREATE INDEX IX_DeviceCodes_Expiration ON dbo.DeviceCodes ([Expiration]);
END;
GO

-- Refresh tokens, reference tokens, consents. There is no foreign key to Clients.
IF OBJECT_ID(N'dbo.PersistedGrants', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.PersistedGrants (
        [Key]          nvarchar(200) NOT NULL,
        [Type]         nvarchar(50) NOT NULL,
        [SubjectId]    nvarchar(200) NULL,
        [SessionId]    nvarchar(100) NULL,
        [ClientId]     nvarchar(200) NOT NULL,
        [Description]  nvarchar(200) NULL,
        [CreationTime] datetime2 NOT NULL,
        [Expiration]   datetime2 NULL,
        [ConsumedTime] datetime2 NULL,
        [Data]         nvarchar(max) NOT NULL,
        CONSTRAINT PK_PersistedGrants PRIMARY KEY ([Key])
    );
    CREATE INDEX IX_PersistedGrants_Expiration ON dbo.PersistedGrants ([Expiration]);
    CREATE INDEX IX_PersistedGrants_SubjectId_ClientId_Type ON dbo.PersistedGrants ([SubjectId], [ClientId], [Type]);
    CREATE INDEX IX_PersistedGrants_SubjectId_SessionId_Type ON dbo.PersistedGrants ([SubjectId], [SessionId], [Type]);
END;
GO
