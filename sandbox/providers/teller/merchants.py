"""List who is paid, how it looks on a statement, and how much it costs. Amounts are whole cents."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Payee:
    """Describe a counterparty as statement and enrichment show it; `low` to `high` is the usual size."""

    description: str
    name: str
    category: str
    type: str
    low: int
    high: int
    party: str = "organization"


GROCERIES = (
    Payee("WHOLEFDS MKT #10236", "WHOLE FOODS MARKET", "groceries", "card_payment", 1_890, 14_250),
    Payee("TRADER JOE S #542", "TRADER JOE'S", "groceries", "card_payment", 1_420, 9_870),
    Payee("SAFEWAY #1483", "SAFEWAY", "groceries", "card_payment", 980, 11_640),
    Payee("COSTCO WHSE #0688", "COSTCO WHOLESALE", "groceries", "card_payment", 5_200, 17_800),
    Payee("CORNER BAKERY & DELI", "CORNER BAKERY", "groceries", "card_payment", 640, 2_980),
)
FUEL = (
    Payee("SHELL OIL 57442", "SHELL", "fuel", "card_payment", 3_150, 6_890),
    Payee("CHEVRON 0093417", "CHEVRON", "fuel", "card_payment", 3_020, 7_140),
)
DINING = (
    Payee("SQ *BLUE HERON COFFEE", "BLUE HERON COFFEE", "dining", "card_payment", 475, 1_860),
    Payee("CHIPOTLE 1127", "CHIPOTLE", "dining", "card_payment", 1_095, 3_420),
    Payee("TST* OSTERIA LUCIA", "OSTERIA LUCIA", "dining", "card_payment", 4_200, 16_400),
    Payee("TST* NORTH POINT GRILL", "NORTH POINT GRILL", "dining", "card_payment", 3_600, 12_900),
    Payee("THE BRASS RAIL", "THE BRASS RAIL", "bar", "card_payment", 1_800, 7_700),
)
TIPPED = frozenset({"OSTERIA LUCIA", "NORTH POINT GRILL", "THE BRASS RAIL"})
SHOPPING = (
    Payee("AMZN MKTP US*2K4T71", "AMAZON", "shopping", "card_payment", 699, 9_990),
    Payee("TARGET 00021145", "TARGET", "shopping", "card_payment", 940, 8_480),
    Payee("THE HOME DEPOT #4421", "HOME DEPOT", "home", "card_payment", 1_260, 16_400),
    Payee("OFFICE DEPOT #2207", "OFFICE DEPOT", "office", "card_payment", 830, 9_300),
    Payee("APPLE STORE R221", "APPLE", "electronics", "card_payment", 990, 24_900),
    Payee("UNIQLO SF UNION SQ", "UNIQLO", "clothing", "card_payment", 1_490, 9_400),
)
TRAVEL = (
    Payee("UBER *TRIP", "UBER", "transport", "card_payment", 860, 5_430),
    Payee("LYFT *RIDE", "LYFT", "transport", "card_payment", 790, 4_980),
    Payee("CLIPPER TRANSIT FARE", "CLIPPER", "transportation", "card_payment", 250, 2_000),
    Payee("PARKWHIZ 4411", "PARKWHIZ", "transportation", "card_payment", 600, 3_200),
)
HEALTH = (
    Payee("WALGREENS #6625", "WALGREENS", "health", "card_payment", 540, 6_240),
    Payee("CVS/PHARMACY #09921", "CVS PHARMACY", "health", "card_payment", 620, 7_310),
)
ATM = Payee("ATM WITHDRAWAL 4420 MARKET ST", "CARDTRONICS", "general", "atm", 4_000, 20_000)

CHECKING_SPEND = (*GROCERIES, *GROCERIES, *FUEL, *DINING[:2], *TRAVEL, *HEALTH)
CARD_SPEND = (*DINING, *DINING, *SHOPPING, *TRAVEL, *HEALTH, FUEL[0])

# Day of the month on which each bill falls due.
BILLS: dict[int, Payee] = {
    1: Payee("ACH DEBIT PARKSIDE PROPERTY RENT", "PARKSIDE PROPERTY MANAGEMENT", "home", "ach", 0, 0),
    5: Payee("PACIFIC GAS & ELEC WEB ONLINE", "PG&E", "utilities", "bill_payment", 8_400, 21_900),
    8: Payee("CITY WATER & SEWER", "CITY WATER & SEWER", "utilities", "bill_payment", 4_300, 7_900),
    12: Payee("COMCAST XFINITY 800-266-2278", "COMCAST", "utilities", "bill_payment", 8_999, 8_999),
    18: Payee("VERIZON WRLS P2P", "VERIZON", "phone", "bill_payment", 7_500, 9_240),
    22: Payee("STATE FARM RO 27 SFPP", "STATE FARM", "insurance", "ach", 14_812, 14_812),
}
SUBSCRIPTIONS: dict[int, Payee] = {
    3: Payee("NETFLIX.COM", "NETFLIX", "entertainment", "card_payment", 1_549, 1_549),
    9: Payee("SPOTIFY USA", "SPOTIFY", "entertainment", "card_payment", 1_099, 1_099),
    14: Payee("GITHUB, INC.", "GITHUB", "software", "card_payment", 2_100, 2_100),
    16: Payee("ADOBE *CREATIVE CLD", "ADOBE", "software", "card_payment", 5_999, 5_999),
    20: Payee("PLANET FITNESS 7718", "PLANET FITNESS", "sport", "card_payment", 2_499, 2_499),
    27: Payee("NYTIMES*DIGITAL SUBSCR", "THE NEW YORK TIMES", "entertainment", "card_payment", 1_700, 1_700),
}
EMPLOYERS = ("NORTHWIND LOGISTICS", "CEDAR HILL DESIGN", "BAYFRONT MEDICAL GROUP", "IRONWOOD SOFTWARE")
INSTITUTIONS = (
    ("security_cu", "Security Credit Union", "066474405"),
    ("bank_of_many", "Bank of Many", "091408735"),
    ("fifth_coast", "Fifth Coast Bank", "322271627"),
)
