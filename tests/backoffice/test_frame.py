"""What surrounds every page of the admin can be used without a mouse and without seeing it."""

from html.parser import HTMLParser

from django.test import Client

LIST = "/admin/jobs/job/"


class Page(HTMLParser):
    """The elements of a page, and the text in each link, button and summary."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in {"a", "button", "summary"}:
            self._open.append(tag)
            self.words.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            tag, text = self.words[-1]
            self.words[-1] = (tag, f"{text} {data.strip()}".strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(client: Client, url: str = LIST) -> Page:
    return Page(client.get(url).content.decode())


def test_the_first_link_leads_past_the_sidebar_into_the_one_main_part(staff_client: Client) -> None:
    page = page_of(staff_client)
    assert page.all("a")[0]["href"] == "#content"
    assert [part["id"] for part in page.all("main")] == ["content"]
    assert page.all("main")[0]["tabindex"] == "-1"
    assert page.all("nav")[0]["aria-label"] == "Sections"


def test_a_list_is_searched_through_a_field_and_a_button_that_say_so(staff_client: Client) -> None:
    page = page_of(staff_client)
    shown = [field for field in page.all("input") if field.get("type") not in {"hidden", "checkbox"}]
    assert [(field["name"], field["aria-label"]) for field in shown if field.get("name") == "q"] == [
        ("q", "Search jobs")
    ]
    assert [button["aria-label"] for button in page.all("button") if button.get("aria-label") == "Search"] == ["Search"]


def test_the_keyboard_reaches_what_is_in_ones_own_menu(staff_client: Client) -> None:
    words = page_of(staff_client).words
    menu = words[next(at for at, (tag, text) in enumerate(words) if tag == "summary" and "unfold_more" in text) + 1 :]
    assert menu[:6] == [
        ("button", "Light"),
        ("button", "Dark"),
        ("button", "System"),
        ("a", "My second factors"),
        ("a", "Change password"),
        ("button", "Log out logout"),
    ]


def test_nothing_is_offered_to_be_done_with_all_rows_of_an_empty_list(staff_client: Client) -> None:
    page = page_of(staff_client, f"{LIST}?state__exact=dead")
    assert [text for _tag, text in page.words if "all…" in text] == []
    assert ("a", "Clear search and filters") in page.words


def test_a_list_that_does_not_say_what_it_finds_asks_for_its_own_rows(staff_client: Client) -> None:
    page = page_of(staff_client, "/admin/jobs/queue/")
    (search,) = [field for field in page.all("input") if field.get("name") == "q"]
    assert (search["placeholder"], search["aria-label"]) == ("Search queues", "Search queues")
