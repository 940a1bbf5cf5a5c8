"""Two tables with a rare event, as NumPy arrays: the Shuttle's valve faults, and Caravan.

- `shuttle`, Statlog Shuttle: 58 000 rows of nine numbers. The event: one of the four classes in
  which a valve opened or closed (`Fpv.Close`, `Fpv.Open`, `Bpv.Close`, `Bpv.Open`), 244 rows.
- `caravan`, the insurance company benchmark of the CoIL 2000 challenge: 9822 customers, 85
  columns. The event: a caravan policy, 586 customers. The two types of customer, which have no
  order, become a column for each type (39 and 10). All other columns are numbers or bands in order,
  and become the number of the band: 132 features.

Both are read from the `.rda` files of R packages (Caravan's data are for non-commercial use);
nothing is downloaded. With the source `openml`, scikit-learn downloads the same tables from OpenML,
all in numbers.
"""

import warnings
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from examples.data.sources import MissingData

Name = Literal["shuttle", "caravan"]
Route = Literal["rda", "openml"]
ROOT = Path("/")  # below which packages are installed


class Table(NamedTuple):
    """A table of numbers and which of its rows are the event."""

    features: np.ndarray  # [N, F], float32
    labels: np.ndarray  # [N], int32: 1 the event, 0 all else


class Source(NamedTuple):
    """Where a table comes from, and what it must look like."""

    file: str
    package: str  # of R; Debian's is r-cran-<package>
    frame: str  # the object in the file
    target: str  # its class column, the last one
    classes: tuple[str, ...]
    events: tuple[str, ...]  # classes that are the event
    openml_id: int
    openml_classes: tuple[str, ...]  # in the order of `classes`
    rows: int
    columns: tuple[str, ...]  # without the class
    num_events: int
    nominal: tuple[int, ...] = ()  # columns without an order


CARAVAN_COLUMNS = """
    STYPE MAANTHUI MGEMOMV MGEMLEEF MOSHOOFD MGODRK MGODPR MGODOV MGODGE MRELGE MRELSA MRELOV
    MFALLEEN MFGEKIND MFWEKIND MOPLHOOG MOPLMIDD MOPLLAAG MBERHOOG MBERZELF MBERBOER MBERMIDD
    MBERARBG MBERARBO MSKA MSKB1 MSKB2 MSKC MSKD MHHUUR MHKOOP MAUT1 MAUT2 MAUT0 MZFONDS MZPART
    MINKM30 MINK3045 MINK4575 MINK7512 MINK123M MINKGEM MKOOPKLA PWAPART PWABEDR PWALAND PPERSAUT
    PBESAUT PMOTSCO AAUT PAANHANG PTRACTOR PWERKT PBROM PLEVEN PPERSONG PGEZONG PWAOREG PBRAND
    PZEILPL PPLEZIER PFIETS PINBOED PBYSTAND AWAPART AWABEDR AWALAND APERSAUT ABESAUT AMOTSCO
    AVRAAUT AAANHANG ATRACTOR AWERKT ABROM ALEVEN APERSONG AGEZONG AWAOREG ABRAND AZEILPL APLEZIER
    AFIETS AINBOED ABYSTAND
"""
SOURCES: dict[Name, Source] = {
    "shuttle": Source(
        file="Shuttle.rda",
        package="mlbench",
        frame="Shuttle",
        target="Class",
        classes=(
            *("Rad.Flow", "Fpv.Close", "Fpv.Open", "High", "Bypass"),
            *("Bpv.Close", "Bpv.Open"),
        ),
        events=("Fpv.Close", "Fpv.Open", "Bpv.Close", "Bpv.Open"),
        openml_id=40685,
        openml_classes=("1", "2", "3", "4", "5", "6", "7"),
        rows=58000,
        columns=tuple(f"V{k}" for k in range(1, 10)),
        num_events=244,
    ),
    "caravan": Source(
        file="ticdata.rda",
        package="kernlab",
        frame="ticdata",
        target="CARAVAN",
        classes=("noinsurance", "insurance"),
        events=("insurance",),
        openml_id=298,
        openml_classes=("0", "1"),
        rows=9822,
        columns=tuple(CARAVAN_COLUMNS.split()),
        num_events=586,
        nominal=(0, 4),
    ),
}


def load(name: Name, route: Route, data_dir: str | None) -> Table:
    """One of the two tables.

    Args:
      name: which.
      route: `rda` reads the file of the R package; `openml` downloads.
      data_dir: folder of the file, or the one that the package was unpacked in; None looks in the
        usual places. With `openml`: where scikit-learn keeps what it downloads.

    Raises:
      MissingData: the file is not there, or OpenML cannot be reached.
      ValueError: it is not the table that it should be.
    """
    source = SOURCES[name]
    if route == "openml":
        where = f"data set {source.openml_id} of OpenML"
        features, target = fetch(source, data_dir)
    else:
        path = find(name, data_dir)
        where = str(path)
        features, target = read(path, source)
    check(where, source, features, target)
    labels = np.isin(np.asarray(target, str), source.events).astype(np.int32)
    if labels.sum() != source.num_events:
        raise ValueError(f"{where} has {labels.sum()} events, not {source.num_events}: damaged.")
    return Table(encode(features, source.nominal), labels)


def signed_log(features: np.ndarray) -> np.ndarray:
    """`sign(x) · log(1 + |x|)`, for columns with long tails.

    The Shuttle's sixth reaches from -26 739 to 15 164, and all but 2 % of it lie within ±31.
    """
    return np.asarray(np.sign(features) * np.log1p(np.abs(features)))


def find(name: Name, data_dir: str | None) -> Path:
    """The path of a table's file."""
    source = SOURCES[name]
    package = Path("usr/lib/R/site-library", source.package, "data")
    folders = [ROOT / package, "data" / package]
    if data_dir is not None:
        folders = [Path(data_dir), Path(data_dir) / package]
    for folder in folders:
        if (folder / source.file).is_file():
            return folder / source.file
    raise MissingData(
        f"{source.file} is not in {', '.join(map(str, folders))}; get it with "
        f"`sh examples/data/get_data.sh r-cran-{source.package}`, which needs no root, say where "
        f"it is with --data-dir, or download the table with --source openml."
    )


def read(path: Path, source: Source) -> tuple[Any, Any]:
    """Features and target of an `.rda` file, as pandas has them."""
    import rdata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it guesses; `check` looks at the outcome
            # The strings of old files do not say their encoding.
            frame = rdata.read_rda(path, default_encoding="ascii")[source.frame]
        features, target = frame.drop(columns=source.target), frame[source.target]
    except Exception as error:  # a damaged file breaks the parser in many ways
        raise ValueError(
            f"{path} is not {source.package}'s file or is damaged, get it again "
            f"({type(error).__name__}: {' '.join(str(error).split())})."
        ) from error
    pairs = zip(features, source.columns, strict=False)  # `check` counts them
    odd = [f"{name}, not {known}" for name, known in pairs if name != known]
    if odd:
        raise ValueError(f"{path} has the column {odd[0]}: get it again.")
    return features, target


def fetch(source: Source, data_home: str | None) -> tuple[Any, Any]:
    """The same from OpenML; its classes and customer types are numbers."""
    from sklearn import datasets

    try:
        found = datasets.fetch_openml(
            data_id=source.openml_id, as_frame=True, parser="auto", data_home=data_home
        )
    except OSError as error:
        raise MissingData(
            f"OpenML did not give data set {source.openml_id} ({error}): try again, or read the "
            f"file of R's {source.package} with --source rda."
        ) from error
    names = dict(zip(source.openml_classes, source.classes, strict=True))
    target = np.array([names.get(label, label) for label in np.asarray(found.target, str)])
    return found.data.astype(float), target


def check(where: str, source: Source, features: Any, target: Any) -> None:
    """Shape, columns, classes and holes."""
    expected = source.rows, len(source.columns)
    if features.shape != expected:
        raise ValueError(f"{where} has shape {features.shape}, not {expected}: get it again.")
    classes = sorted(set(np.asarray(target, str)))
    if classes != sorted(source.classes):
        raise ValueError(f"{where} has the classes {classes}, not {sorted(source.classes)}.")
    if features.isna().any(axis=None):
        raise ValueError(f"{where} has missing values, which the table has not: get it again.")


def encode(features: Any, nominal: tuple[int, ...]) -> np.ndarray:
    """Numbers as they are, ordered bands by their number, a column for each nominal value."""
    columns = []
    for position, (_, column) in enumerate(features.items()):
        values = np.asarray(column.cat.codes if hasattr(column, "cat") else column, np.float32)
        if position in nominal:
            columns.append((values[:, None] == np.unique(values)).astype(np.float32))
        else:
            columns.append(values[:, None])
    return np.concatenate(columns, axis=1)
