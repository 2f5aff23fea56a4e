-- The legacy CRM of the demo company Acme: PostgreSQL database legacy_crm, schema crm.
-- What is in which column, in which code and format, stands in the comments, which are loaded too.
-- Everything above the line "-- @after-load" runs before the rows are copied in, the rest after it.
--
-- Conventions of this system: ids are texts with a prefix; flags are 'Y' and 'N'; amounts are in major units;
-- `timestamptz` columns are true instants. There are hardly any foreign keys, so rows can lose their parent.

CREATE SCHEMA crm;

CREATE TABLE crm.users (
    user_id       text NOT NULL,
    full_name     text NOT NULL,
    email         text NOT NULL,
    active        char(1) NOT NULL,
    password_hash text,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
COMMENT ON TABLE crm.users IS 'Our own staff who sign in to the CRM. Never dirty.';
COMMENT ON COLUMN crm.users.user_id IS 'U-0001 ...';
COMMENT ON COLUMN crm.users.active IS 'Y active, N inactive.';
COMMENT ON COLUMN crm.users.password_hash IS 'SECRET: must never be read.';

CREATE TABLE crm.roles (
    role_code   text NOT NULL,
    role_name   text NOT NULL,
    permissions text
);
COMMENT ON TABLE crm.roles IS 'Named sets of permissions: ADM, SAL, SUP, FIN, RO.';
COMMENT ON COLUMN crm.roles.permissions IS 'Permission names, sorted, separated by one space.';

CREATE TABLE crm.user_roles (
    user_id   text NOT NULL,
    role_code text NOT NULL
);
COMMENT ON TABLE crm.user_roles IS 'Who has which role. Key: both columns.';

CREATE TABLE crm.accounts (
    account_id       text NOT NULL,
    external_ref     text,
    record_type      text NOT NULL,
    account_type     char(1) NOT NULL,
    name             text,
    given_name       text,
    family_name      text,
    birth_date       text,
    email            text,
    phone            text,
    website          text,
    country          text,
    state            text,
    language         text,
    currency         text,
    credit_limit     numeric(14,2),
    time_zone        text,
    status           text NOT NULL,
    parent_account   text,
    payer_account    text,
    owner_user       text,
    tax_id           text,
    industry         text,
    segment          text,
    created_on       text,
    last_activity_on date,
    deleted_at       timestamptz,
    erased_at        timestamptz,
    notes            text,
    updated_at       timestamptz NOT NULL
);
COMMENT ON TABLE crm.accounts IS
    'Customers, one row per person or company: system of record for who they are. Contains exact duplicates, stale '
    'leads, test accounts, soft-deleted and erased rows.';
COMMENT ON COLUMN crm.accounts.account_id IS 'A-00000001 ...: prefix and eight digits.';
COMMENT ON COLUMN crm.accounts.external_ref IS
    'Number customers quote (EXT-...), meant to be unique. Defect: the same value on two different customers.';
COMMENT ON COLUMN crm.accounts.record_type IS
    'CUST customer, LEAD lead (to be excluded when stale: status is a lead and last_activity_on is more than two years '
    'before the cutover), TEST test account (to be excluded always).';
COMMENT ON COLUMN crm.accounts.account_type IS 'C company, P person.';
COMMENT ON COLUMN crm.accounts.name IS
    'Full name of a person, trading name of a company. Defects: mojibake, all capitals, white space, invisible and '
    'right-to-left characters, script tags, SQL text, formula cells. Erased rows hold [erased].';
COMMENT ON COLUMN crm.accounts.given_name IS 'Persons only.';
COMMENT ON COLUMN crm.accounts.family_name IS 'Persons only.';
COMMENT ON COLUMN crm.accounts.birth_date IS 'Persons only, text DD/MM/YYYY, often missing.';
COMMENT ON COLUMN crm.accounts.email IS 'Main e-mail. Defects: capitals, outer spaces, no @, two @, spaces inside.';
COMMENT ON COLUMN crm.accounts.phone IS
    'Main phone. Clean: E.164. Messy: national and international notations of the same number, and texts that are no '
    'number at all (n/a, ask reception).';
COMMENT ON COLUMN crm.accounts.website IS 'Companies only: bare domain, or URL with scheme, www. and path.';
COMMENT ON COLUMN crm.accounts.country IS
    'Free text: DE, DEU, Germany, Deutschland, usa, UK ... Defect: missing.';
COMMENT ON COLUMN crm.accounts.state IS
    'ISO 3166-2 part (CA) or name (California); filled for US, BR and IN only.';
COMMENT ON COLUMN crm.accounts.language IS 'BCP 47: en, de, fr, ja, pt-BR, ar, hi.';
COMMENT ON COLUMN crm.accounts.currency IS 'ISO 4217 of billing: USD, EUR, GBP, JPY, KWD. Capitals vary when messy.';
COMMENT ON COLUMN crm.accounts.credit_limit IS 'Major units of currency; NULL: none agreed.';
COMMENT ON COLUMN crm.accounts.time_zone IS 'IANA zone.';
COMMENT ON COLUMN crm.accounts.status IS
    'Prospect, Active, Churned, Lead, Erased; capitals vary when messy. Lead is a prospect. (An unknown code, Zombie, '
    'can be planted; off by default.)';
COMMENT ON COLUMN crm.accounts.parent_account IS
    'account_id of the company it belongs to. Defects: the account itself, cycles of two.';
COMMENT ON COLUMN crm.accounts.payer_account IS 'account_id of who pays, when somebody else does.';
COMMENT ON COLUMN crm.accounts.owner_user IS 'user_id of the account owner.';
COMMENT ON COLUMN crm.accounts.tax_id IS
    'Tax number as sales typed it, with blanks, dots and dashes. Companies only.';
COMMENT ON COLUMN crm.accounts.industry IS 'Industry code: SOFT, MANU, RETL, HLTH, FINA, EDUC, GOVT. Companies only.';
COMMENT ON COLUMN crm.accounts.segment IS 'SMB, MID, ENT for companies, CON for persons.';
COMMENT ON COLUMN crm.accounts.created_on IS
    'Start of the relationship, a text in one of two formats and no other: YYYY-MM-DD (new screens) or DD.MM.YYYY '
    '(old screens). Defect: a date that does not exist (31.02.2024, 2023-13-05).';
COMMENT ON COLUMN crm.accounts.last_activity_on IS 'Last time anybody did anything with the account.';
COMMENT ON COLUMN crm.accounts.deleted_at IS 'Soft deletion; the row must never come back. Such accounts have no ERP side.';
COMMENT ON COLUMN crm.accounts.erased_at IS
    'Erasure under data protection law: personal columns are blanked here, but the ERP may still hold the name. '
    'Invoices of the ERP stay for the statutory term.';
COMMENT ON COLUMN crm.accounts.notes IS
    'Free text of sales. Messy: commas, quotes, line breaks, cells that begin with = + - @.';

CREATE TABLE crm.contacts (
    contact_id text NOT NULL,
    account_id text,
    full_name  text,
    job_title  text,
    email      text,
    phone      text,
    is_primary char(1),
    language   text,
    deleted_at timestamptz,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE crm.contacts IS
    'People at companies (and the person itself for a person account). Defects: account_id without account; exact '
    'duplicates come with duplicate accounts.';
COMMENT ON COLUMN crm.contacts.contact_id IS 'C-000000001 ...';
COMMENT ON COLUMN crm.contacts.full_name IS 'Given name first; messy: Family, Given; capitals; mojibake.';
COMMENT ON COLUMN crm.contacts.phone IS
    'As crm.accounts.phone, but always with the country''s prefix: contacts have no country of their own.';
COMMENT ON COLUMN crm.contacts.is_primary IS 'Y or N; one Y per account.';
COMMENT ON COLUMN crm.contacts.deleted_at IS 'Set when the account was soft-deleted or erased.';

CREATE TABLE crm.addresses (
    address_id  bigint NOT NULL,
    account_id  text,
    kind        text NOT NULL,
    line1       text,
    line2       text,
    city        text,
    state       text,
    postal_code text,
    country     text,
    updated_at  timestamptz NOT NULL
);
COMMENT ON TABLE crm.addresses IS 'Postal addresses: one BILL per account, SERV and SHIP for some.';
COMMENT ON COLUMN crm.addresses.kind IS 'BILL billing, SERV service, SHIP shipping.';
COMMENT ON COLUMN crm.addresses.state IS 'As crm.accounts.state.';
COMMENT ON COLUMN crm.addresses.postal_code IS 'Text: leading zeros count.';
COMMENT ON COLUMN crm.addresses.country IS 'Free text as crm.accounts.country. Defect: missing together with the account''s.';

CREATE TABLE crm.consent_events (
    event_id   bigint NOT NULL,
    account_id text NOT NULL,
    contact_id text,
    purpose    text NOT NULL,
    channel    char(1) NOT NULL,
    decision   char(1) NOT NULL,
    basis      text,
    event_time timestamptz NOT NULL,
    evidence   text
);
COMMENT ON TABLE crm.consent_events IS 'Append-only log; the latest per account, contact, purpose and channel wins; a tie is a no.';
COMMENT ON COLUMN crm.consent_events.contact_id IS 'Person who decided, when known.';
COMMENT ON COLUMN crm.consent_events.purpose IS 'MKT marketing, NEWS product news, PROF profiling, RES research.';
COMMENT ON COLUMN crm.consent_events.channel IS 'E e-mail, P phone, S SMS, L letter (post).';
COMMENT ON COLUMN crm.consent_events.decision IS 'Y granted, N withdrawn, ? unknown (which is a no).';
COMMENT ON COLUMN crm.consent_events.basis IS 'CONS consent, CONTR contract, LEGIT legitimate interest, LEGAL legal obligation.';
COMMENT ON COLUMN crm.consent_events.evidence IS 'Reference of the form or recording.';

CREATE TABLE crm.suppressions (
    suppression_id bigint NOT NULL,
    account_id     text,
    channel        char(1) NOT NULL,
    address        text NOT NULL,
    reason         text NOT NULL,
    since          timestamptz NOT NULL
);
COMMENT ON TABLE crm.suppressions IS 'Addresses nobody may write to or call. It follows the address, not the account.';
COMMENT ON COLUMN crm.suppressions.account_id IS 'Account it was recorded for; NULL when it came from a list.';
COMMENT ON COLUMN crm.suppressions.channel IS 'E e-mail, P phone.';
COMMENT ON COLUMN crm.suppressions.address IS 'E-mail in lower case, or phone in E.164. Always in standard form.';
COMMENT ON COLUMN crm.suppressions.reason IS 'UNSUB unsubscribed, BOUNCE bounced, COMPL complaint, LEGAL legal.';

CREATE TABLE crm.opportunities (
    opp_id     text NOT NULL,
    account_id text,
    owner_user text,
    name       text NOT NULL,
    stage      text NOT NULL,
    currency   text NOT NULL,
    amount     numeric(14,2),
    close_date date,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE crm.opportunities IS 'Possible sales.';
COMMENT ON COLUMN crm.opportunities.opp_id IS 'O-0000001 ...';
COMMENT ON COLUMN crm.opportunities.stage IS 'Open, Proposal, Negotiation, Closed Won, Closed Lost.';
COMMENT ON COLUMN crm.opportunities.amount IS 'Major units; the sum of its lines after discount, each rounded half up to the currency.';

CREATE TABLE crm.opportunity_lines (
    opp_line_id  bigint NOT NULL,
    opp_id       text NOT NULL,
    line_no      integer NOT NULL,
    item_no      text NOT NULL,
    quantity     integer NOT NULL,
    currency     text NOT NULL,
    unit_price   numeric(14,4),
    discount_pct numeric(7,4)
);
COMMENT ON TABLE crm.opportunity_lines IS 'Products of an opportunity.';
COMMENT ON COLUMN crm.opportunity_lines.item_no IS 'As items.item_no of the ERP.';

CREATE TABLE crm.product_updates (
    update_id  bigint NOT NULL,
    account_id text NOT NULL,
    item_no    text NOT NULL,
    change     text NOT NULL,
    quantity   integer,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE crm.product_updates IS
    'Copy of what the ERP told the CRM about products of an account. Not a system of record: to be excluded whole.';
COMMENT ON COLUMN crm.product_updates.change IS 'ADD, CHG, DEL.';

-- @after-load
ALTER TABLE crm.users ADD PRIMARY KEY (user_id);
ALTER TABLE crm.roles ADD PRIMARY KEY (role_code);
ALTER TABLE crm.user_roles ADD PRIMARY KEY (user_id, role_code);
ALTER TABLE crm.user_roles ADD FOREIGN KEY (user_id) REFERENCES crm.users;
ALTER TABLE crm.user_roles ADD FOREIGN KEY (role_code) REFERENCES crm.roles;
ALTER TABLE crm.accounts ADD PRIMARY KEY (account_id);
ALTER TABLE crm.contacts ADD PRIMARY KEY (contact_id);
ALTER TABLE crm.addresses ADD PRIMARY KEY (address_id);
ALTER TABLE crm.consent_events ADD PRIMARY KEY (event_id);
ALTER TABLE crm.suppressions ADD PRIMARY KEY (suppression_id);
ALTER TABLE crm.opportunities ADD PRIMARY KEY (opp_id);
ALTER TABLE crm.opportunity_lines ADD PRIMARY KEY (opp_line_id);
ALTER TABLE crm.product_updates ADD PRIMARY KEY (update_id);
