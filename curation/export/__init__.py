"""Mixes in the formats that other trainers read: a library over the files of a mix, and one writer."""
