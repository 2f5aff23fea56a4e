-- The legacy ERP of the demo company Acme: PostgreSQL database legacy_erp, schema erp.
-- What is in which column, in which code, unit and format, stands in the comments, which are loaded too.
-- Everything above the line "-- @after-load" runs before the rows are copied in, the rest after it.
--
-- Conventions of this system
--   * ids are integers; flags are 'Y' and 'N'; currencies are ISO 4217 in capitals (USD, EUR, GBP, JPY, KWD);
--   * amounts are in MAJOR units: numeric(14,3) where Kuwaiti dinars occur with fils, numeric(14,2) elsewhere (there
--     dinar amounts are whole hundredths); JPY amounts have only zeros after the point;
--   * every `date` and every `timestamp` (without zone) is LOCAL time of the contract: the zone stands in contract_tz of
--     the same row; a `date` that starts something means midnight; `timestamptz` columns are true instants;
--   * every end is INCLUSIVE: *_to, *_until, end_date and expires_on name the last day that still counts, and
--     trial_end_ts the last second (23:59:59);
--   * a limit of -1 is unlimited, 0 is zero (nothing allowed), NULL is absent (nothing said);
--   * an unknown status code (ZZZ) can be planted in erp.subscriptions; off by default.
--
-- How this system bills (its invoices were made so)
--   * In advance, on the first day of each period. Period k starts at anchor_date plus k intervals (clamped to the end
--     of the month, always counted from anchor_date itself).
--   * Recurring line (REC) per base and add-on item that covers the period's first day: quantity x unit_price.
--   * Proration line (PRO) for an item that started inside the previous period: quantity x unit_price x days / basis,
--     with days by 30E/360 (both days of month capped at 30, half-open end) and basis 30, 90 or 360 days for an
--     interval of a month, quarter or year. It stands on the invoice of the next period.
--   * Usage line (USG) per usage item, in arrears for the previous period: billable units x unit_price.
--   * Discount line (DSC), negative: percent of the sum of the REC lines, or the fixed amount, but never more than that
--     sum; for each period that begins within the discount.
--   * Every line is rounded half up (away from zero) to the currency. Tax per line, rounded likewise, at the rate of
--     the service country on the issue date (erp.tax_rates), 0 when tax_exempt. With tax_inclusive = 'Y' the rounded line contains the
--     tax: tax = line x rate / (100 + rate), and amount = line - tax. Invoice totals are plain sums of the lines.
--   * open_amount = total - applied payments - applied credit memos - write-offs + settled refunds + lost disputes;
--     0 for drafts and void invoices.

CREATE SCHEMA erp;

CREATE TABLE erp.legal_entities (
    le_code        text NOT NULL,
    name           text NOT NULL,
    country        char(2) NOT NULL,
    currency       char(3) NOT NULL,
    invoice_series text NOT NULL
);
COMMENT ON TABLE erp.legal_entities IS 'Our companies that issue invoices: US01 (US, USD), DE01 (DE, EUR), JP01 (JP, JPY).';
COMMENT ON COLUMN erp.legal_entities.invoice_series IS 'Prefix of invoice numbers.';

CREATE TABLE erp.exchange_rates (
    rate_id   integer NOT NULL,
    base_ccy  char(3) NOT NULL,
    quote_ccy char(3) NOT NULL,
    rate      numeric(18,8) NOT NULL,
    rate_date date NOT NULL
);
COMMENT ON TABLE erp.exchange_rates IS 'One unit of base_ccy in quote_ccy; first day of each of the last 24 months.';

CREATE TABLE erp.tax_rates (
    country    char(2) NOT NULL,
    tax_pct    numeric(6,3) NOT NULL,
    valid_from date NOT NULL
);
COMMENT ON TABLE erp.tax_rates IS
    'Standard rate by country of supply, valid until the next row of the country. Set-up of the ERP: makes no canonical row.';

CREATE TABLE erp.items (
    item_no   text NOT NULL,
    item_name text NOT NULL,
    item_kind char(1) NOT NULL,
    retired   char(1) NOT NULL
);
COMMENT ON TABLE erp.items IS
    'What is sold. Makes no canonical row (products come from the plan''s catalog); the codes are: BAS Basic, PRO '
    'Professional (per seat), ENT Enterprise (per seat), CLS Classic (retired, grandfathered); add-ons SEAT extra seat '
    '(per seat), STO storage pack, SUP premium support, SSO single sign-on; usage API api calls, MIN telephone minutes; '
    'SETUP one-off set-up fee (on one-off invoices and orders only).';
COMMENT ON COLUMN erp.items.item_kind IS 'B base, A add-on, U usage, O one-off.';
COMMENT ON COLUMN erp.items.retired IS 'Y: no longer sold.';

CREATE TABLE erp.plans (
    plan_code     text NOT NULL,
    item_no       text NOT NULL,
    plan_name     text NOT NULL,
    bill_interval char(1) NOT NULL,
    retired       char(1) NOT NULL
);
COMMENT ON TABLE erp.plans IS
    'Base item with an interval. Makes no canonical row. Codes: BAS-M, BAS-Y, PRO-M, PRO-Q, PRO-Y, ENT-Q, ENT-Y, CLS-M (retired).';
COMMENT ON COLUMN erp.plans.bill_interval IS 'M month, Q quarter, Y year.';

CREATE TABLE erp.price_list (
    item_no       text NOT NULL,
    bill_interval char(1) NOT NULL,
    currency      char(3) NOT NULL,
    list_price    numeric(14,4) NOT NULL,
    price_model   char(3) NOT NULL
);
COMMENT ON TABLE erp.price_list IS 'Today''s list prices, key (item_no, bill_interval, currency). Makes no canonical row.';
COMMENT ON COLUMN erp.price_list.price_model IS 'FLT flat per item, SEA per seat, TIE tiered.';

CREATE TABLE erp.item_limits (
    item_no      text NOT NULL,
    feature_code text NOT NULL,
    limit_value  numeric(18,4),
    limit_unit   text,
    per          char(1) NOT NULL,
    overage      char(1) NOT NULL
);
COMMENT ON TABLE erp.item_limits IS
    'What owning an item grants, key (item_no, feature_code). Makes no canonical row: the plan''s catalog must say the same. '
    'Features: SEATS (seat), STORAGE (GB or GiB), API (call), MINUTES (minute), PROJECTS (project), SSO, SUPPORT, '
    'ANALYTICS (switches: -1 on, 0 off, NULL nothing said).';
COMMENT ON COLUMN erp.item_limits.limit_value IS '-1 unlimited (or switched on), 0 zero, NULL absent.';
COMMENT ON COLUMN erp.item_limits.limit_unit IS 'seat, GB (10^9 bytes), GiB (2^30 bytes), call, minute, project; NULL for switches.';
COMMENT ON COLUMN erp.item_limits.per IS 'I for the item, U for each unit of its quantity.';
COMMENT ON COLUMN erp.item_limits.overage IS 'B block, C charge (bill), G grace (past the threshold all is billed), N none.';

CREATE TABLE erp.customers (
    customer_no    integer NOT NULL,
    crm_account_id text,
    cust_type      text NOT NULL,
    name           text,
    email          text,
    phone          text,
    country        text,
    tax_no         text,
    currency       char(3) NOT NULL,
    credit_limit   numeric(14,2),
    status         char(1) NOT NULL,
    created_on     date,
    updated_at     timestamptz NOT NULL
);
COMMENT ON TABLE erp.customers IS
    'Debtors. Most (97 %) name their CRM account; the rest must be matched by tax number and name. Leads, test and '
    'soft-deleted accounts have no row here. Defects: a company entered twice; the country missing; dirty names as in the CRM; '
    'an account number that the CRM does not know.';
COMMENT ON COLUMN erp.customers.customer_no IS '100001 ...';
COMMENT ON COLUMN erp.customers.crm_account_id IS 'accounts.account_id of the CRM, or NULL.';
COMMENT ON COLUMN erp.customers.cust_type IS 'ORG company, PER person.';
COMMENT ON COLUMN erp.customers.name IS 'Of persons: given name first. Still the old name where the CRM has erased the person.';
COMMENT ON COLUMN erp.customers.country IS 'ISO 3166-1 alpha-2. Defect: NULL.';
COMMENT ON COLUMN erp.customers.tax_no IS 'Tax number in standard form (capitals, no separators).';
COMMENT ON COLUMN erp.customers.status IS 'A active, I inactive (churned), P prospect.';

CREATE TABLE erp.tax_registrations (
    reg_id      integer NOT NULL,
    customer_no integer NOT NULL,
    country     char(2) NOT NULL,
    tax_number  text NOT NULL,
    verified    char(1),
    exempt      char(1),
    valid_from  date
);
COMMENT ON TABLE erp.tax_registrations IS 'Tax numbers of companies by country.';
COMMENT ON COLUMN erp.tax_registrations.valid_from IS 'Day in UTC.';

CREATE TABLE erp.subscriptions (
    sub_id             bigint NOT NULL,
    customer_no        integer,
    payer_customer_no  integer,
    le_code            text,
    plan_code          text NOT NULL,
    status             char(3) NOT NULL,
    currency           char(3) NOT NULL,
    bill_interval      char(1) NOT NULL,
    contract_tz        text NOT NULL,
    start_ts           timestamp NOT NULL,
    end_date           date,
    anchor_date        date NOT NULL,
    trial_end_ts       timestamp,
    period_from        date,
    period_to          date,
    paused_on          date,
    resume_on          date,
    cancel_at_end      char(1) NOT NULL,
    canceled_ts        timestamp,
    grace_until        date,
    service_country    char(2),
    tax_inclusive      char(1) NOT NULL,
    tax_exempt         char(1) NOT NULL,
    billed_to_date     numeric(14,3),
    purchase_order     text,
    updated_at         timestamptz NOT NULL
);
COMMENT ON TABLE erp.subscriptions IS
    'Contracts. Defects: customer_no without customer (orphan); end_date before start_ts (inverted period).';
COMMENT ON COLUMN erp.subscriptions.sub_id IS '5000001 ...';
COMMENT ON COLUMN erp.subscriptions.payer_customer_no IS 'customers.customer_no of who pays, when somebody else does.';
COMMENT ON COLUMN erp.subscriptions.status IS
    'TRL trialing, ACT active, PDU past due, PAU paused, CXL cancelled (end_date is set), EXP term over (ended).';
COMMENT ON COLUMN erp.subscriptions.bill_interval IS 'M month, Q quarter, Y year.';
COMMENT ON COLUMN erp.subscriptions.start_ts IS 'Local, midnight. Start of the contract (with its trial, if any).';
COMMENT ON COLUMN erp.subscriptions.end_date IS 'Local last day, inclusive; NULL while it renews.';
COMMENT ON COLUMN erp.subscriptions.anchor_date IS 'Local day every period is counted from; the day after the trial, if there was one. Can be a 29th to 31st.';
COMMENT ON COLUMN erp.subscriptions.trial_end_ts IS 'Local last second of the trial, 23:59:59, inclusive.';
COMMENT ON COLUMN erp.subscriptions.period_from IS 'Local first day of the running period (last period of an ended contract).';
COMMENT ON COLUMN erp.subscriptions.period_to IS 'Local last day of it, inclusive.';
COMMENT ON COLUMN erp.subscriptions.paused_on IS 'Local first day of the pause (PAU only); no invoice until resume_on.';
COMMENT ON COLUMN erp.subscriptions.resume_on IS 'Local day it starts again (not inclusive: service is back on this day); can be NULL.';
COMMENT ON COLUMN erp.subscriptions.cancel_at_end IS 'Y: access until period_to, then no renewal; end_date is then equal to period_to.';
COMMENT ON COLUMN erp.subscriptions.canceled_ts IS 'Local time of the cancellation (CXL, and cancel_at_end = Y).';
COMMENT ON COLUMN erp.subscriptions.grace_until IS 'Local last day of grace, inclusive (PDU only).';
COMMENT ON COLUMN erp.subscriptions.service_country IS 'ISO 3166-1 alpha-2, where the service is used; can differ from the customer''s.';
COMMENT ON COLUMN erp.subscriptions.tax_inclusive IS 'Y: unit prices contain tax.';
COMMENT ON COLUMN erp.subscriptions.billed_to_date IS 'Major units: totals of its invoices in erp.invoices that are not void or draft.';

CREATE TABLE erp.subscription_items (
    sub_item_id      bigint NOT NULL,
    sub_id           bigint,
    item_no          text NOT NULL,
    item_kind        char(1) NOT NULL,
    quantity         integer NOT NULL,
    currency         char(3) NOT NULL,
    list_price       numeric(14,4) NOT NULL,
    unit_price       numeric(14,4) NOT NULL,
    price_model      char(3) NOT NULL,
    recurring_amount numeric(14,3) NOT NULL,
    contract_tz      text NOT NULL,
    start_date       date,
    end_date         date
);
COMMENT ON TABLE erp.subscription_items IS 'Products on a contract. Defect: negative quantity; orphans when the contract is missing.';
COMMENT ON COLUMN erp.subscription_items.item_kind IS 'B base, A add-on, U usage.';
COMMENT ON COLUMN erp.subscription_items.quantity IS 'Units bought; 1 for usage items.';
COMMENT ON COLUMN erp.subscription_items.list_price IS 'Price list on the day of the last edit: NOT what is charged.';
COMMENT ON COLUMN erp.subscription_items.unit_price IS 'Contracted price of one unit for one interval (of one call or minute for usage), up to four decimals: what is charged.';
COMMENT ON COLUMN erp.subscription_items.price_model IS 'FLT flat, SEA per seat, TIE tiered.';
COMMENT ON COLUMN erp.subscription_items.recurring_amount IS 'quantity x unit_price rounded half up to the currency; 0 for usage items.';
COMMENT ON COLUMN erp.subscription_items.start_date IS 'Local first day; NULL: with the contract.';
COMMENT ON COLUMN erp.subscription_items.end_date IS 'Local last day, inclusive; NULL: with the contract.';

CREATE TABLE erp.scheduled_changes (
    change_id      integer NOT NULL,
    sub_id         bigint NOT NULL,
    change_type    char(3) NOT NULL,
    effective_date date NOT NULL,
    contract_tz    text NOT NULL,
    new_plan_code  text,
    new_quantity   integer,
    new_unit_price numeric(14,4),
    uplift_pct     numeric(7,4)
);
COMMENT ON TABLE erp.scheduled_changes IS 'Changes already agreed for a later period.';
COMMENT ON COLUMN erp.scheduled_changes.change_type IS 'DNG downgrade, UPG upgrade (both: new_plan_code), RMP ramp (new_quantity, perhaps new_unit_price), UPL uplift (uplift_pct), CXL cancel.';
COMMENT ON COLUMN erp.scheduled_changes.effective_date IS 'Local first day it holds: always the first day of a period.';

CREATE TABLE erp.discounts (
    discount_id  integer NOT NULL,
    sub_id       bigint NOT NULL,
    disc_type    char(3) NOT NULL,
    pct          numeric(7,4),
    currency     char(3),
    amount       numeric(14,3),
    coupon_code  text,
    cycles_total integer,
    cycles_left  integer,
    contract_tz  text NOT NULL,
    from_date    date NOT NULL,
    to_date      date
);
COMMENT ON TABLE erp.discounts IS 'Recurring discounts, at most one per contract. It counts for every period that begins between from_date and to_date.';
COMMENT ON COLUMN erp.discounts.disc_type IS 'PCT percent (pct), AMT amount per cycle (amount in currency).';
COMMENT ON COLUMN erp.discounts.cycles_total IS 'Cycles granted; NULL: for ever.';
COMMENT ON COLUMN erp.discounts.cycles_left IS 'Cycles not yet invoiced; NULL: for ever.';
COMMENT ON COLUMN erp.discounts.from_date IS 'Local first day: always the first day of a period.';
COMMENT ON COLUMN erp.discounts.to_date IS 'Local last day, inclusive (the day before the period after the last cycle); NULL: for ever.';

CREATE TABLE erp.commitments (
    commit_id   integer NOT NULL,
    customer_no integer NOT NULL,
    sub_id      bigint,
    kind        char(3) NOT NULL,
    currency    char(3) NOT NULL,
    amount      numeric(14,2) NOT NULL,
    remaining   numeric(14,2) NOT NULL,
    burn_order  integer,
    contract_tz text NOT NULL,
    from_date   date NOT NULL,
    to_date     date
);
COMMENT ON TABLE erp.commitments IS 'MIN minimum spend, PRE prepaid balance; the lowest burn_order is used first.';

CREATE TABLE erp.entitlement_overrides (
    override_id  integer NOT NULL,
    customer_no  integer NOT NULL,
    feature_code text NOT NULL,
    region       char(2),
    limit_value  numeric(18,4) NOT NULL,
    limit_unit   text,
    contract_tz  text NOT NULL,
    from_date    date NOT NULL,
    to_date      date,
    approved_by  text
);
COMMENT ON TABLE erp.entitlement_overrides IS
    'Exceptions for one customer and feature. Defect: two for the same customer, feature and region that overlap; to_date before from_date.';
COMMENT ON COLUMN erp.entitlement_overrides.feature_code IS 'As erp.item_limits.feature_code.';
COMMENT ON COLUMN erp.entitlement_overrides.region IS 'ISO 3166-1 alpha-2; NULL: everywhere.';
COMMENT ON COLUMN erp.entitlement_overrides.limit_value IS '-1 unlimited, 0 zero, else the limit in limit_unit.';
COMMENT ON COLUMN erp.entitlement_overrides.limit_unit IS 'As erp.item_limits.limit_unit; STORAGE mostly GB, sometimes GiB.';
COMMENT ON COLUMN erp.entitlement_overrides.to_date IS 'Local last day, inclusive; NULL: no end.';

CREATE TABLE erp.usage_balances (
    balance_id   bigint NOT NULL,
    sub_id       bigint NOT NULL,
    feature_code text NOT NULL,
    contract_tz  text NOT NULL,
    period_from  date NOT NULL,
    period_to    date NOT NULL,
    used         numeric(18,4) NOT NULL,
    unit         text NOT NULL
);
COMMENT ON TABLE erp.usage_balances IS
    'Used so far in the running period (equal to the contract''s period_from, period_to). For API and MINUTES it equals the sum of '
    'erp.usage_events of the period; STORAGE is a gauge and has no events.';
COMMENT ON COLUMN erp.usage_balances.unit IS 'call, minute, GB or GiB.';
COMMENT ON COLUMN erp.usage_balances.period_to IS 'Local last day, inclusive.';

CREATE TABLE erp.usage_events (
    event_id        bigint NOT NULL,
    sub_id          bigint NOT NULL,
    feature_code    text NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz,
    units           numeric(18,4) NOT NULL,
    unit            text NOT NULL,
    idempotency_key text
);
COMMENT ON TABLE erp.usage_events IS 'Metered events of the running period: API (call) and MINUTES (minute).';

CREATE TABLE erp.seat_assignments (
    seat_id     bigint NOT NULL,
    sub_item_id bigint NOT NULL,
    contact_id  text,
    holder      text,
    assigned_at timestamptz NOT NULL,
    released_at timestamptz
);
COMMENT ON TABLE erp.seat_assignments IS 'Who holds which seat of an item with price_model SEA. Not released ones never exceed the item''s quantity.';
COMMENT ON COLUMN erp.seat_assignments.contact_id IS 'contacts.contact_id of the CRM, when the holder is a contact.';
COMMENT ON COLUMN erp.seat_assignments.holder IS 'Login name.';

CREATE TABLE erp.invoices (
    invoice_id        bigint NOT NULL,
    invoice_no        text NOT NULL,
    customer_no       integer,
    payer_customer_no integer,
    sub_id            bigint,
    le_code           text,
    status            char(3) NOT NULL,
    currency          char(3) NOT NULL,
    subtotal          numeric(14,3) NOT NULL,
    tax               numeric(14,3) NOT NULL,
    total             numeric(14,3) NOT NULL,
    open_amount       numeric(14,3) NOT NULL,
    issue_date        date NOT NULL,
    due_date          date,
    contract_tz       text NOT NULL,
    period_from       date,
    period_to         date,
    tax_inclusive     char(1) NOT NULL,
    updated_at        timestamptz NOT NULL
);
COMMENT ON TABLE erp.invoices IS
    'Invoices of the last periods of each contract (four to six months, three to five quarters, two to four years, as far as there are), and one-off invoices (no sub_id, no period). Defect: orphan '
    '(customer_no without customer). Older invoices are in the archive and not here.';
COMMENT ON COLUMN erp.invoices.invoice_id IS '20000001 ...';
COMMENT ON COLUMN erp.invoices.invoice_no IS 'Series of the legal entity, year, running number without gaps (void ones keep theirs): US-2026-0000123. Drafts: DRAFT-<invoice_id>.';
COMMENT ON COLUMN erp.invoices.status IS 'DRF draft, OPN open, PRT partially paid, PAI paid, OVD overdue, VOI void, WOF written off.';
COMMENT ON COLUMN erp.invoices.period_to IS 'Local last day, inclusive.';

CREATE TABLE erp.invoice_lines (
    line_id     bigint NOT NULL,
    invoice_id  bigint NOT NULL,
    line_no     integer NOT NULL,
    sub_item_id bigint,
    kind        char(3) NOT NULL,
    item_no     text,
    description text,
    quantity    numeric(14,4) NOT NULL,
    unit_price  numeric(14,4) NOT NULL,
    currency    char(3) NOT NULL,
    amount      numeric(14,3) NOT NULL,
    tax_pct     numeric(6,3) NOT NULL,
    tax_amount  numeric(14,3) NOT NULL,
    contract_tz text NOT NULL,
    period_from date,
    period_to   date
);
COMMENT ON TABLE erp.invoice_lines IS 'Defect: currency differs from the invoice''s.';
COMMENT ON COLUMN erp.invoice_lines.kind IS 'REC recurring, PRO proration, USG usage, DSC discount, CRD credit, ONE one-off.';
COMMENT ON COLUMN erp.invoice_lines.amount IS 'Before tax, also when prices contain it.';
COMMENT ON COLUMN erp.invoice_lines.unit_price IS 'With tax when the invoice is tax_inclusive; of discount lines: the whole negative amount.';
COMMENT ON COLUMN erp.invoice_lines.period_to IS 'Local last day, inclusive.';

CREATE TABLE erp.payments (
    payment_id  bigint NOT NULL,
    customer_no integer NOT NULL,
    status      char(3) NOT NULL,
    method      char(2) NOT NULL,
    currency    char(3) NOT NULL,
    amount      numeric(14,3) NOT NULL,
    received_at timestamptz NOT NULL,
    bank_ref    text
);
COMMENT ON TABLE erp.payments IS 'customer_no is who paid: the payer where there is one. Pending and failed payments have no application.';
COMMENT ON COLUMN erp.payments.status IS 'PND pending, SET settled, FLD failed, RFD refunded (part or all), CBK charged back.';
COMMENT ON COLUMN erp.payments.method IS 'CC card, DD direct debit, WT transfer, CK check, OT other.';

CREATE TABLE erp.payment_applications (
    application_id bigint NOT NULL,
    payment_id     bigint NOT NULL,
    invoice_id     bigint NOT NULL,
    currency       char(3) NOT NULL,
    amount         numeric(14,3) NOT NULL,
    applied_at     timestamptz NOT NULL
);
COMMENT ON TABLE erp.payment_applications IS 'Which payment settled which invoice. Stays when the payment is refunded or charged back.';

CREATE TABLE erp.refunds (
    refund_id   integer NOT NULL,
    payment_id  bigint NOT NULL,
    status      char(3) NOT NULL,
    currency    char(3) NOT NULL,
    amount      numeric(14,3) NOT NULL,
    refunded_at timestamptz NOT NULL,
    reason      text
);
COMMENT ON TABLE erp.refunds IS 'PND pending, SET settled, FLD failed. A settled refund goes with a credit memo on the same invoice.';

CREATE TABLE erp.disputes (
    dispute_id integer NOT NULL,
    payment_id bigint NOT NULL,
    status     char(3) NOT NULL,
    currency   char(3) NOT NULL,
    amount     numeric(14,3) NOT NULL,
    opened_at  timestamptz NOT NULL,
    closed_at  timestamptz
);
COMMENT ON TABLE erp.disputes IS 'OPN open, WON won by us, LST lost: the payment is CBK and the invoice is open again by the amount.';

CREATE TABLE erp.write_offs (
    write_off_id   integer NOT NULL,
    invoice_id     bigint NOT NULL,
    currency       char(3) NOT NULL,
    amount         numeric(14,3) NOT NULL,
    written_off_at timestamptz NOT NULL,
    reason         text
);

COMMENT ON TABLE erp.write_offs IS 'Amounts given up; the invoice is then WOF with nothing open.';

CREATE TABLE erp.credit_memos (
    memo_id        integer NOT NULL,
    memo_no        text NOT NULL,
    customer_no    integer NOT NULL,
    invoice_id     bigint,
    status         char(3) NOT NULL,
    currency       char(3) NOT NULL,
    amount         numeric(14,3) NOT NULL,
    applied_amount numeric(14,3) NOT NULL,
    issue_date     date NOT NULL,
    reason         text
);
COMMENT ON TABLE erp.credit_memos IS 'OPN open (nothing applied yet: goodwill without an invoice, or with a refund that is pending or failed), APL applied to '
    'invoice_id, VOI void.';
COMMENT ON COLUMN erp.credit_memos.amount IS 'Positive, tax included.';

CREATE TABLE erp.credit_balances (
    credit_id   integer NOT NULL,
    customer_no integer NOT NULL,
    currency    char(3) NOT NULL,
    balance     numeric(14,3) NOT NULL,
    burn_order  integer,
    contract_tz text NOT NULL,
    expires_on  date
);
COMMENT ON TABLE erp.credit_balances IS 'Credit still to be used; positive in favour of the customer, sometimes negative (owed).';
COMMENT ON COLUMN erp.credit_balances.expires_on IS 'Local last day it can be used, inclusive; NULL: never lapses.';

CREATE TABLE erp.payment_methods (
    method_id   integer NOT NULL,
    customer_no integer NOT NULL,
    kind        char(2) NOT NULL,
    token       text,
    verified    char(1) NOT NULL,
    is_default  char(1) NOT NULL,
    expires_on  date
);
COMMENT ON TABLE erp.payment_methods IS 'Tokens and mandate references, never card or account numbers. Every paying customer has one.';
COMMENT ON COLUMN erp.payment_methods.kind IS 'CC card, DD direct debit, WT transfer, CK check, OT other.';
COMMENT ON COLUMN erp.payment_methods.expires_on IS 'Last day of a card; a plain date.';

CREATE TABLE erp.revenue_schedule (
    schedule_id bigint NOT NULL,
    line_id     bigint NOT NULL,
    month       date NOT NULL,
    currency    char(3) NOT NULL,
    amount      numeric(14,3) NOT NULL,
    recognized  char(1) NOT NULL
);
COMMENT ON TABLE erp.revenue_schedule IS
    'Revenue by month of the lines of each contract''s latest invoice (older ones are fully recognised and archived). '
    'Lines REC and DSC: one row per month of the interval, from the month the period begins in; PRO and USG: one row. The rows of a '
    'line add up to its amount.';
COMMENT ON COLUMN erp.revenue_schedule.month IS 'First day of the month, a plain date.';
COMMENT ON COLUMN erp.revenue_schedule.recognized IS 'Y up to and with the month of the snapshot.';

CREATE TABLE erp.dunning (
    dunning_id  integer NOT NULL,
    invoice_id  bigint NOT NULL,
    attempts    integer NOT NULL,
    next_retry  timestamptz,
    grace_until date,
    contract_tz text NOT NULL,
    status      char(3) NOT NULL
);
COMMENT ON TABLE erp.dunning IS 'One row per overdue invoice, and settled ones of a few: RTY retrying, WAI waiting, EXH exhausted, SET settled.';
COMMENT ON COLUMN erp.dunning.grace_until IS 'Local last day of grace, inclusive.';

CREATE TABLE erp.orders (
    order_id    integer NOT NULL,
    order_no    text NOT NULL,
    customer_no integer NOT NULL,
    opp_id      text,
    status      char(3) NOT NULL,
    currency    char(3) NOT NULL,
    total       numeric(14,2) NOT NULL,
    order_date  date NOT NULL
);
COMMENT ON TABLE erp.orders IS 'DRF draft, CNF confirmed, FUL fulfilled, CXL cancelled. Won opportunities became orders.';
COMMENT ON COLUMN erp.orders.opp_id IS 'opportunities.opp_id of the CRM; NULL: direct order.';

CREATE TABLE erp.order_lines (
    order_line_id integer NOT NULL,
    order_id      integer NOT NULL,
    line_no       integer NOT NULL,
    item_no       text,
    quantity      integer NOT NULL,
    currency      char(3) NOT NULL,
    unit_price    numeric(14,4),
    amount        numeric(14,2) NOT NULL
);
COMMENT ON TABLE erp.order_lines IS 'The amounts of an order''s lines add up to its total.';

-- @after-load
ALTER TABLE erp.legal_entities ADD PRIMARY KEY (le_code);
ALTER TABLE erp.exchange_rates ADD PRIMARY KEY (rate_id);
ALTER TABLE erp.tax_rates ADD PRIMARY KEY (country, valid_from);
ALTER TABLE erp.items ADD PRIMARY KEY (item_no);
ALTER TABLE erp.plans ADD PRIMARY KEY (plan_code);
ALTER TABLE erp.price_list ADD PRIMARY KEY (item_no, bill_interval, currency);
ALTER TABLE erp.item_limits ADD PRIMARY KEY (item_no, feature_code);
ALTER TABLE erp.item_limits ADD FOREIGN KEY (item_no) REFERENCES erp.items;
ALTER TABLE erp.customers ADD PRIMARY KEY (customer_no);
ALTER TABLE erp.tax_registrations ADD PRIMARY KEY (reg_id);
ALTER TABLE erp.subscriptions ADD PRIMARY KEY (sub_id);
ALTER TABLE erp.subscription_items ADD PRIMARY KEY (sub_item_id);
ALTER TABLE erp.scheduled_changes ADD PRIMARY KEY (change_id);
ALTER TABLE erp.discounts ADD PRIMARY KEY (discount_id);
ALTER TABLE erp.commitments ADD PRIMARY KEY (commit_id);
ALTER TABLE erp.entitlement_overrides ADD PRIMARY KEY (override_id);
ALTER TABLE erp.usage_balances ADD PRIMARY KEY (balance_id);
ALTER TABLE erp.usage_events ADD PRIMARY KEY (event_id);
ALTER TABLE erp.seat_assignments ADD PRIMARY KEY (seat_id);
ALTER TABLE erp.invoices ADD PRIMARY KEY (invoice_id);
ALTER TABLE erp.invoice_lines ADD PRIMARY KEY (line_id);
ALTER TABLE erp.payments ADD PRIMARY KEY (payment_id);
ALTER TABLE erp.payment_applications ADD PRIMARY KEY (application_id);
ALTER TABLE erp.refunds ADD PRIMARY KEY (refund_id);
ALTER TABLE erp.disputes ADD PRIMARY KEY (dispute_id);
ALTER TABLE erp.write_offs ADD PRIMARY KEY (write_off_id);
ALTER TABLE erp.credit_memos ADD PRIMARY KEY (memo_id);
ALTER TABLE erp.credit_balances ADD PRIMARY KEY (credit_id);
ALTER TABLE erp.payment_methods ADD PRIMARY KEY (method_id);
ALTER TABLE erp.revenue_schedule ADD PRIMARY KEY (schedule_id);
ALTER TABLE erp.dunning ADD PRIMARY KEY (dunning_id);
ALTER TABLE erp.orders ADD PRIMARY KEY (order_id);
ALTER TABLE erp.order_lines ADD PRIMARY KEY (order_line_id);
