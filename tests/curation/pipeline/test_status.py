"""`curate status` counts the tasks of the operations that there are, without importing them."""

import subprocess
import sys

from curation.decontamination.step.rows import Contaminate
from curation.dedup.step.clusters import Cluster
from curation.dedup.step.signatures import Sign
from curation.langid.step.run import Identify
from curation.mining.step.embeddings import Embed
from curation.mining.step.pools import Collect
from curation.mining.step.row_alignment import Align
from curation.mining.step.search import Search
from curation.normalize.step import Normalize
from curation.pipeline.status import OPERATIONS
from curation.quality.step import Measure


def test_the_counted_operations_are_those_of_the_steps():
    steps = (Normalize, Identify, Measure, Sign, Cluster, Contaminate, Collect, Embed, Search, Align)
    assert tuple(operation.name for operation in steps) == OPERATIONS


def test_the_status_imports_no_step():
    script = "import sys, curation.pipeline.status; print([m for m in sys.modules if '.step' in m or m == 'numba'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
