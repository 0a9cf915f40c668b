"""The published figures add up as their papers say, and name sources that there are."""

from curation.report import published
from sources import registry


def test_the_published_languages_add_up():
    assert (len(published.languages()), published.labels()) == (282, 44)
    assert sum(samples for _, samples in published.languages().values()) == 55_871_503
    assert sum(published.programming_languages().values()) == 4_276_435
    assert published.programming_languages()["c#"] == 92_008 + 1_891, "csharp is the same language"


def test_the_data_sets_of_kalm_embedding_add_up_and_name_sources():
    datasets = published.kalm_datasets()
    assert sum(dataset.pairs or 0 for dataset in datasets) == 3_655_225
    assert sum(1 for dataset in datasets if dataset.pairs) == 62
    known = set(registry.files("sources", *registry.folders(registry.Path())))
    named = {name for dataset in datasets for name in (*dataset.sources, *dataset.related)}
    assert named <= known
    assert abs(sum(published.KALM_SHARES.values()) - 1) < 0.002
