"""Pages, thin: who may see them, what is read, which template shows it."""

from csp.decorators import csp_update
from drf_spectacular.views import SpectacularSwaggerSplitView

api_description = csp_update({"script-src": ["'self'"], "img-src": ["'self'", "data:"]})(
    SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="pages/api.html")
)
"""The API's description, whose viewer is a script of our own origin."""
