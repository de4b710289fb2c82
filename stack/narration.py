"""What a stack tells the person who started it."""

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line about the machinery."""
    console.print(f"  [dim]·[/] {text}", markup=True)


def chapter(title: str) -> None:
    console.print(f"\n[bold]{title}[/]")


def done(text: str) -> None:
    """One thing that has come about."""
    console.print(f"  [green]✓[/] {text}")
