"""What every tree promises, on every tree."""

from canonid.scopes import LiveScope, ScopeTree, Tree
from scopes.trees import resolve, run


def test_the_answers_of_the_tree_of_one_process_can_be_awaited_and_need_not_be():
    async def main():
        tree = ScopeTree(resolve)
        typed: Tree = tree
        session: LiveScope = await typed.open("session", "1", principal="ada")
        tool = await session.claim("tool", "2")
        assert (
            await typed.find("tool", "2", principal="ada") is tree.find("tool", "2", principal="ada") is tool
        )
        assert await typed.live("ada") == tree.snapshot("ada") != ()

    run(main())
