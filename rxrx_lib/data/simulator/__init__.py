"""A screen with known truth, written in the release's layout.

Read `spec` for what can be set, `write` for the way to the files, `render` for one site:
`layout` (where everything stands), `phenotypes` and `technical` (the truth), `cells`, `stains`
and `optics` (cells to stains to grey levels), and `realism` and `realism_detail`
for how it compares with RxRx1.
"""

from rxrx_lib.data.simulator.layout import layout
from rxrx_lib.data.simulator.realism import realism
from rxrx_lib.data.simulator.realism_detail import realism_detail, untreated_fields
from rxrx_lib.data.simulator.render import Site, render_site
from rxrx_lib.data.simulator.spec import ScreenSpec, TechnicalEffects
from rxrx_lib.data.simulator.truth import SIMULATOR_VERSION, Truth, draw_truth
from rxrx_lib.data.simulator.write import simulate

__all__ = [
    "SIMULATOR_VERSION",
    "ScreenSpec",
    "Site",
    "TechnicalEffects",
    "Truth",
    "draw_truth",
    "layout",
    "realism",
    "realism_detail",
    "render_site",
    "simulate",
    "untreated_fields",
]
