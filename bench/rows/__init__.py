"""All rows, in the order they are run and shown."""

from rows.admission import ADMISSION
from rows.components import COMPONENTS
from rows.counters import COUNTERS
from rows.generate import GENERATE
from rows.loop_memif import LOOP_MEMIF
from rows.loop_veth import LOOP_VETH
from rows.memory import MEMORY
from rows.pacing_gap import PACING_GAP
from rows.pacing_rate import PACING_RATE
from rows.policy import POLICY
from rows.store import STORE

ROWS = (
    *COMPONENTS, *GENERATE, *LOOP_MEMIF, *LOOP_VETH, *PACING_RATE, *PACING_GAP, *COUNTERS, *POLICY, *ADMISSION, *STORE,
    *MEMORY,
)  # fmt: skip
