"""Party entities: who the customers are, how to reach them, what they agreed to; and what of them belongs together."""

from dataclasses import dataclass

from migration_assets.domain.canonical.model import (
    Entity,
    about,
    boolean,
    code,
    country,
    currency,
    date,
    email,
    instant,
    key,
    money,
    personal,
    phone,
    ref,
    required,
    text,
)

CUSTOMER = Entity(
    "customer",
    "cleansed_customers",
    "One person or company that buys. Parent, payer and owner are kept apart.",
    (
        key("customer_id"),
        text("customer_number", "Number people quote."),
        required(code("kind", "Person or company.", "person", "company")),
        required(personal(text("name", "Full or trading name."))),
        personal(text("given_name", "Given names of a person.")),
        personal(text("family_name", "Family name of a person.")),
        personal(date("birth_date", "Birth date of a person.")),
        personal(text("company_name", "Company that a person buys for.")),
        email("email", "Main e-mail address."),
        phone("phone", "Main phone, E.164."),
        text("website", "Domain of a company."),
        country("country", "Country of the customer, ISO 3166-1 alpha-2."),
        text("state", "State or province, ISO 3166-2 without the country."),
        text("language", "BCP 47 tag."),
        currency("Currency the customer is billed in."),
        money("credit_limit_minor", "Credit limit in minor units of `currency`."),
        text("time_zone", "IANA zone."),
        required(code("status", "Where the relationship stands.", "prospect", "active", "churned", "erased")),
        ref("parent_id", "customer", "Company it belongs to."),
        ref("payer_id", "customer", "Who pays, when somebody else does."),
        ref("owner_user_id", "user", "Account owner."),
        personal(text("owner_login", "Login of the account owner, where the source has no table of users.")),
        personal(text("tax_id", "Tax number as the master record has it.")),
        text("industry", "Industry code."),
        text("segment", "Commercial segment."),
        instant("created_at", "When the relationship began."),
    ),
)

CONTACT = Entity(
    "contact",
    "cleansed_customers",
    "A person at a customer.",
    (
        key("contact_id"),
        required(ref("customer_id", "customer", "Where the person works.")),
        required(personal(text("name", "Full name."))),
        personal(text("given_name", "Given names.")),
        personal(text("family_name", "Family name.")),
        text("job_title", "Job title."),
        email("email", "E-mail address."),
        phone("phone", "Phone, E.164."),
        boolean("is_primary", "The customer's main contact."),
        text("language", "BCP 47 tag."),
    ),
)

ADDRESS = Entity(
    "address",
    "cleansed_customers",
    "A postal address in parts. Bill-to, service and shipping are distinct.",
    (
        key("address_id"),
        required(ref("customer_id", "customer", "Whose address.")),
        required(code("kind", "What it is used for.", "billing", "service", "shipping")),
        personal(text("line1", "Street and number.")),
        personal(text("line2", "Building, floor, care of.")),
        personal(text("city", "City.")),
        text("state", "State or province, ISO 3166-2 without the country."),
        personal(text("postal_code", "Postal code.")),
        required(country("country", "ISO 3166-1 alpha-2.")),
    ),
)

CONSENT = Entity(
    "consent",
    "cleansed_customers",
    "One evidenced consent event. The latest per purpose and channel wins; a tie or an unknown is a no.",
    (
        key("consent_id"),
        required(ref("customer_id", "customer", "Whose consent.")),
        about(ref("contact_id", "contact", "Whose alone, when a contact's; the customer's own without.")),
        required(code("purpose", "What for.", "marketing", "product_news", "profiling", "research")),
        required(code("channel", "Through what.", "email", "phone", "sms", "post")),
        required(code("decision", "What was said.", "granted", "withdrawn", "unknown")),
        code("lawful_basis", "Basis of processing.", "consent", "contract", "legitimate_interest", "legal_obligation"),
        required(instant("decided_at", "When.")),
        text("evidence", "Where the evidence is kept."),
    ),
)

SUPPRESSION = Entity(
    "suppression",
    "cleansed_customers",
    "An address nobody may write to. It follows the address itself, not the customer.",
    (
        key("suppression_id"),
        ref("customer_id", "customer", "Customer it was recorded for, when known."),
        required(code("channel", "Through what.", "email", "phone", "sms", "post")),
        required(personal(text("address", "The suppressed e-mail address or phone number, in standard form."))),
        required(code("reason", "Why.", "unsubscribed", "bounced", "complaint", "legal")),
        required(instant("suppressed_at", "Since when.")),
    ),
)

TAX_REGISTRATION = Entity(
    "tax_registration",
    "cleansed_customers",
    "A tax number of a customer in one country.",
    (
        key("tax_registration_id"),
        required(ref("customer_id", "customer", "Whose number.")),
        required(country("country", "Country that issued it.")),
        required(personal(text("tax_number", "The number, without spaces."))),
        boolean("verified", "Checked with the authority."),
        boolean("exempt", "The customer is exempt from tax there."),
        instant("valid_from", "Since when."),
    ),
)


@dataclass(frozen=True)
class Together:
    """Fields of a customer that mean something only beside one value of `lead`. All `fields` come from one row, and
    only from a row that has the `lead` that survived. `ruled`: a plan may give them a rule of their own."""

    lead: str
    fields: tuple[str, ...]
    ruled: bool = False


# What has to be of one row when several rows become one customer: else somebody gets one row's given name and another's
# family name, or 500 yen of credit because one row said 500 and another JPY.
TOGETHER = (
    Together("name", ("kind",)),
    Together("name", ("given_name", "family_name")),
    Together("country", ("state",), ruled=True),
    Together("currency", ("credit_limit_minor",), ruled=True),
)

PARTY = (CUSTOMER, CONTACT, ADDRESS, CONSENT, SUPPRESSION, TAX_REGISTRATION)
