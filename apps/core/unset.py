"""A value that was not given, where None and "" mean something."""


class Unset:
    """Marks a value that was not given."""


UNSET = Unset()
