"""Drives our MCP servers with the official SDK, as an agent does. The scripts of the tests import all of it.

    async def talk(agent):
        assert (await agent.ask("trace_list_runs"))["runs"] == []
    over_stdio(talk)
"""

import asyncio
import base64
import json
import os
from contextlib import asynccontextmanager

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

# With `server/discover`, and with the handshake of clients from before 2026.
MODES = ("auto", "legacy")
# What one answer holds at most, in bytes.
ANSWER_MAX = 20_000


class Agent:
    """Somebody who calls tools."""

    def __init__(self, client):
        self.client = client

    async def tools(self):
        """The tools by their names."""
        return {tool.name: tool for tool in (await self.client.list_tools()).tools}

    async def ask(self, tool, **arguments):
        """The answer of a call that goes well."""
        is_error, text = await self.call(tool, arguments)
        assert not is_error, text
        return json.loads(text)

    async def refusal(self, tool, **arguments):
        """The sentence of a call that is refused."""
        is_error, text = await self.call(tool, arguments)
        assert is_error, text
        assert "\n" not in text, text
        return text

    async def walk(self, tool, key, **arguments):
        """All that is under a key, from the first answer to the last."""
        answer = await self.ask(tool, **arguments)
        found = answer[key]
        while answer["next_cursor"] is not None:
            answer = await self.ask(tool, **arguments, cursor=answer["next_cursor"])
            assert answer[key], "an answer brings something"
            found += answer[key]
        return found

    async def call(self, tool, arguments):
        result = await self.client.call_tool(tool, arguments)
        [block] = result.content
        assert len(block.text.encode()) <= ANSWER_MAX, len(block.text.encode())
        assert block.text.isprintable(), "nothing in it steers a terminal"
        return result.is_error, block.text


def over_stdio(talk, *options):
    """Lets `otrace mcp` be started and talked to, once in each mode."""
    environment = dict(os.environ)
    server = StdioServerParameters(
        command=environment["OTRACE"], args=["mcp", *options], env=environment, cwd=os.getcwd()
    )
    asyncio.run(each_mode(talk, lambda: server))


def over_http(talk, key):
    """Talks to the server's /mcp with a key, once in each mode."""
    asyncio.run(each_mode(talk, lambda: http_transport(os.environ["MCP_URL"], key)))


async def each_mode(talk, server):
    for mode in MODES:
        async with Client(server(), mode=mode, read_timeout_seconds=30) as client:
            await talk(Agent(client))


@asynccontextmanager
async def http_transport(url, key):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        async with streamable_http_client(url, http_client=http) as streams:
            yield streams


def decoded(piece):
    """The bytes of a piece of a file."""
    content = piece["content"]
    return base64.b64decode(content) if piece["encoding"] == "base64" else content.encode()
