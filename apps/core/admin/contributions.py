"""What higher rooms add to the pages of lower ones, which cannot know of them: panels, happenings, actions."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from apps.core.admin.actions import ListAction, ServiceAction
from apps.core.admin.panels import Happening, Panel

PanelSource = Callable[[HttpRequest, Any], Sequence[Panel]]
HappeningSource = Callable[[Any], Iterable[Happening]]
_panels: dict[type[Model], list[PanelSource]] = {}
_happenings: dict[type[Model], list[HappeningSource]] = {}
_actions: dict[type[Model], list[ServiceAction]] = {}
_list_actions: dict[type[Model], list[ListAction]] = {}


def contributes_panels(model: type[Model]) -> Callable[[PanelSource], PanelSource]:
    """Add panels to the page of a model of a lower room, which cannot know of them."""

    def add(source: PanelSource) -> PanelSource:
        _panels.setdefault(model, []).append(source)
        return source

    return add


def contributes_happenings(model: type[Model]) -> Callable[[HappeningSource], HappeningSource]:
    """Add to the timeline of a model of a lower room, which cannot know of them."""

    def add(source: HappeningSource) -> HappeningSource:
        _happenings.setdefault(model, []).append(source)
        return source

    return add


def contributed_happenings(obj: Model) -> list[Happening]:
    """Return what higher rooms know to have happened to a record."""
    return [item for source in _happenings.get(type(obj), []) for item in source(obj)]


def contribute_actions(model: type[Model], *offered: ServiceAction) -> None:
    """Add actions to a model of a lower room, whose services are composed in a higher one."""
    _actions.setdefault(model, []).extend(offered)


def contribute_list_actions(model: type[Model], *offered: ListAction) -> None:
    """Add buttons above the list of a model of a lower room, for all rows that it shows."""
    _list_actions.setdefault(model, []).extend(offered)


def contributed_list_actions(model: type[Model]) -> list[ListAction]:
    """Return the buttons that higher rooms add above a model's list."""
    return _list_actions.get(model, [])


def contributed_panels(request: HttpRequest, obj: Model) -> list[Panel]:
    """Return the panels that higher rooms add to a record's page."""
    return [panel for source in _panels.get(type(obj), []) for panel in source(request, obj)]


def contributed_actions(model: type[Model]) -> list[ServiceAction]:
    """Return the actions that higher rooms add to a model."""
    return _actions.get(model, [])
