# ruff: noqa: RUF001 - Turkish names have a dotless i
"""What the sample shop sells: things people buy again, a few they do not."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAMILIES", "PEOPLE", "Family"]


@dataclass(frozen=True)
class Family:
    """A group of products alike but for their names.

    `lasts_days` is how long one unit of the first size lasts; None for what is not used up.
    """

    product_type: str
    category: str | None
    vendor: str
    option: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    prices: tuple[str, ...]
    lasts_days: int | None
    colours: tuple[str, ...] = ()
    colour_option: str = "Farbe"


FAMILIES = (
    Family(
        "Kaffee",
        "Food, Beverages & Tobacco > Beverages > Coffee",
        "Hofrösterei Linde",
        "Größe",
        (
            "Espresso Nero",
            "Café Crème",
            "Filterkaffee Mild",
            "Entkoffeiniert",
            "Hausmischung",
            "Yirgacheffe",
            "Sumatra",
            "Röstung No. 7",
        ),
        ("250 g", "500 g", "1 kg"),
        ("7.90", "14.50", "26.90"),
        18,
    ),
    Family(
        "Tee",
        "Food, Beverages & Tobacco > Beverages > Tea & Infusions",
        "Maison Verveine",
        "Taille",
        (
            "Earl Grey",
            "Thé Vert Sencha",
            "Rooibos Vanille",
            "Menthe Fraîche",
            "Darjeeling",
            "Camomille",
            "Chai",
        ),
        ("100 g", "250 g"),
        ("6.40", "13.20"),
        35,
    ),
    Family(
        "Pet food",
        "Animals & Pet Supplies > Pet Supplies > Dog Supplies > Dog Food",
        "Barkley & Sons",
        "Size",
        (
            "Adult Chicken",
            "Adult Salmon",
            "Puppy Lamb",
            "Senior Light",
            "Grain Free Turkey",
            "Small Breed Beef",
        ),
        ("2 kg", "5 kg", "12 kg"),
        ("15.90", "34.90", "69.90"),
        21,
    ),
    Family(
        "Katzenfutter",
        "Animals & Pet Supplies > Pet Supplies > Cat Supplies > Cat Food",
        "Samtpfote",
        "Größe",
        ("Huhn Paté", "Lachs Paté", "Rind Gelée", "Kitten Mix", "Diät Niere", "Snack Sticks"),
        ("400 g", "12 x 400 g"),
        ("2.49", "26.90"),
        12,
    ),
    Family(
        "Cilt bakımı",
        "Health & Beauty > Personal Care > Cosmetics > Skin Care",
        "Gülsu",
        "Beden",
        (
            "Gül Suyu Tonik",
            "Nemlendirici Krem",
            "Güneş Kremi SPF 50",
            "Gece Serumu",
            "El Kremi",
            "Yüz Jeli",
            "Göz Kremi",
        ),
        ("50 ml", "100 ml"),
        ("12.90", "21.50"),
        45,
    ),
    Family(
        "Vitamins",
        "Health & Beauty > Health Care > Fitness & Nutrition > Vitamins & Supplements",
        "Daily Nine",
        "Size",
        ("Vitamin D3", "Omega 3", "Magnesium", "Zinc", "B Complex", "Iron", "Probiotic"),
        ("30 capsules", "90 capsules"),
        ("9.90", "24.90"),
        30,
    ),
    Family(
        "Haushalt",
        "Home & Garden > Household Supplies",
        "Klarwerk",
        "Grösse",
        (
            "Vollwaschmittel",
            "Colorwaschmittel",
            "Spülmittel Zitrone",
            "Geschirrtabs",
            "Allzweckreiniger",
            "Entkalker",
            "Handseife",
        ),
        ("Flasche", "Nachfüllpack"),
        ("4.95", "11.80"),
        28,
    ),
    Family(
        "Bebé",
        None,
        "Nube",
        "Talla",
        ("Pañales Día", "Pañales Noche", "Toallitas Agua", "Crema Pañal"),
        ("1", "2", "3", "4"),
        ("11.90", "12.90", "13.90", "14.90"),
        14,
    ),
    Family(
        "T-shirts",
        "Apparel & Accessories > Clothing > Shirts & Tops",
        "Atelier Nord",
        "Size",
        ("Organic Tee", "Logo Tee", "Long Sleeve"),
        ("S", "M", "L"),
        ("24.00", "24.00", "24.00"),
        None,
        ("Schwarz", "Weiß"),
    ),
    Family(
        "Zubehör",
        "Home & Garden > Kitchen & Dining",
        "Hofrösterei Linde",
        "Title",
        (
            "Handmühle",
            "French Press",
            "Filterpapier",
            "Teesieb",
            "Milchkännchen",
            "Futternapf",
            "Seifenschale",
            "Waage",
            "Thermobecher",
        ),
        ("Default Title",),
        ("29.90",),
        None,
    ),
)

# First names, last names, locale, country: invented people, all at example.com.
PEOPLE = (
    (("Anna", "Jonas", "Lena", "Paul", "Mia"), ("Weber", "Krüger", "Schäfer", "Groß"), "de", "DE"),
    (("Léa", "Hugo", "Zoé", "Émile"), ("Lefèvre", "Noël", "Garçon", "Dubois"), "fr", "FR"),
    (("Emily", "Jack", "Ruby", "Oscar"), ("Hughes", "O'Neill", "Clarke", "Reed"), "en-GB", "GB"),
    (("Ayşe", "Emre", "Çağla", "Yiğit"), ("Yılmaz", "Şahin", "Öztürk", "Aydın"), "tr", "TR"),
    (("Lucía", "Íñigo", "Marta", "Raúl"), ("Núñez", "García", "Peña", "Ibáñez"), "es", "ES"),
    (("Sanne", "Daan", "Fleur"), ("de Vries", "van Dijk", "Bakker"), "nl", "NL"),
    (("Åsa", "Nils", "Ebba"), ("Sjöberg", "Lindqvist", "Åkesson"), "sv", "SE"),
    (("Madison", "Tyler", "Grace"), ("Miller", "Young", "Ortiz"), "en", "US"),
    (("João", "Inês"), ("Conceição", "Araújo"), "pt-BR", "BR"),
)
