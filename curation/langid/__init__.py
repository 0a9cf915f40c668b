"""Language identification behind one function; which model answers is a setting."""

from curation.langid.identifier import Identifier
from curation.langid.interface import IDENTIFIED_SCHEMA, backend, identify

__all__ = ["IDENTIFIED_SCHEMA", "Identifier", "backend", "identify"]
