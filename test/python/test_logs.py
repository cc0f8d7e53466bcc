"""What `logging`, `traceback` and the interpreter write, as records. In a process of its own: it changes all three."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python")
BEGIN = f"""
import sys
sys.path.insert(0, {PYTHON!r})
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(line_buffering=True, errors="backslashreplace")
from sallyport import logs
logs.install(logs.marked("t0"))
import io, logging, os, threading, traceback
log = logging.getLogger("shop")
def fail():
    raise ValueError("boom\\nmore")
"""


def run(program, stream="err"):
    """The records on a stream, and the text between them."""
    done = subprocess.run([sys.executable, "-c", BEGIN + program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = (done.stderr if stream == "err" else done.stdout).decode()
    lines = text.rstrip("\n").split("\n") if text else []  # splitlines() would split at \x1e, too
    records = [json.loads(line[4:]) for line in lines if line.startswith("\x1et0 ")]
    return records, [line for line in lines if not line.startswith("\x1e")]


class LogsTest(unittest.TestCase):
    def one(self, program, stream="err"):
        records, text = run(program, stream)
        self.assertEqual(([], 1), (text, len(records)), records)
        return records[0]

    def test_a_record_has_level_logger_pid_and_message(self):
        record = self.one("logging.basicConfig(level=10)\nlog.debug('a %s', 1)\nprint(os.getpid())")
        self.assertEqual((record["level"], record["logger"], record["text"]), (10, "shop", "a 1"))
        self.assertIsInstance(record["pid"], int)
        self.assertNotIn("detail", record)

    def test_a_traceback_and_further_lines_are_the_detail(self):
        record = self.one("try: fail()\nexcept ValueError: log.exception('it\\nfailed')")
        self.assertEqual((record["level"], record["text"]), (40, "it"))
        self.assertTrue(record["detail"].startswith("failed\nTraceback (most recent call last):\n"))
        self.assertTrue(record["detail"].endswith("ValueError: boom\nmore"))

    def test_a_format_that_says_no_more_is_left_out_and_any_other_is_kept(self):
        for style, format, text in (
            ("%", "%(asctime)s,%(msecs)03d [%(levelname)-8s] %(name)s: %(message)s", "hi"),
            ("{", "{levelname:>8} {process} {message}", "hi"),
            ("$", "${levelname} $message", "hi"),
            ("%", "%(levelname)s %(funcName)s %(message)s", "WARNING <module> hi"),
            ("%", "shop: %(message)s", "shop: hi"),
            ("{", "{threadName} {message}", "MainThread hi"),
        ):
            with self.subTest(format):
                record = self.one(f"logging.basicConfig(format={format!r}, style={style!r})\nlog.warning('hi')")
                self.assertEqual(record["text"], text)

    def test_a_formatter_or_handler_of_the_application_s_own_has_its_text_kept(self):
        record = self.one(
            "class Own(logging.Formatter):\n    def format(self, record): return '<' + record.getMessage() + '>'\n"
            "h = logging.StreamHandler(); h.setFormatter(Own()); log.addHandler(h); log.warning('hi')"
        )
        self.assertEqual(record["text"], "<hi>")
        record = self.one(
            "class Own(logging.StreamHandler):\n    def format(self, record): return 'own'\n"
            "log.addHandler(Own()); log.warning('hi')"
        )
        self.assertEqual(record["text"], "own")

    def test_the_configurations_that_applications_use(self):
        config = {
            "version": 1,
            "formatters": {"f": {"format": "%(levelname)s %(message)s"}},
            "handlers": {"c": {"class": "logging.StreamHandler", "formatter": "f", "stream": "ext://sys.stdout"}},
            "loggers": {"shop": {"handlers": ["c"], "level": "INFO", "propagate": False}},
        }
        record = self.one(f"import logging.config\nlogging.config.dictConfig({config!r})\nlog.info('hi')", "out")
        self.assertEqual((record["level"], record["text"]), (20, "hi"))
        for stream in ("sys.__stderr__", "io.TextIOWrapper(open(2, 'wb', closefd=False))", "Proxy()"):
            with self.subTest(stream):
                proxy = "class Proxy:\n    def __getattr__(self, name): return getattr(sys.stderr, name)\n"
                record = self.one(f"{proxy}log.addHandler(logging.StreamHandler({stream}))\nlog.warning('hi')")
                self.assertEqual(record["text"], "hi")

    def test_what_goes_elsewhere_is_left_alone(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "log")
            program = f"""
log.propagate = False
log.addHandler(logging.FileHandler({path!r}))
text = io.StringIO()
log.addHandler(logging.StreamHandler(text))
log.error('hi')
try: fail()
except ValueError: traceback.print_exc(file=text)
assert text.getvalue().startswith('hi\\nTraceback'), text.getvalue()
os.dup2(os.open({path!r}, os.O_WRONLY | os.O_APPEND), 2)
logging.getLogger('other').error('there')
"""
            self.assertEqual(([], []), run(program))
            with open(path) as log:
                self.assertEqual("hi\nthere\n", log.read())

    def test_exceptions_that_are_printed_or_not_caught_are_records(self):
        for program, text in (
            ("try: fail()\nexcept ValueError: traceback.print_exc()", "ValueError: boom"),
            ("fail()", "ValueError: boom"),
            (
                "t = threading.Thread(target=fail, name='T'); t.start(); t.join()",
                "Exception in thread T: ValueError: boom",
            ),
            (
                "import asyncio\nasync def main():\n    asyncio.ensure_future(later()); await asyncio.sleep(0.01)\n"
                "async def later(): fail()\nasyncio.run(main())",
                "Task exception was never retrieved",
            ),
        ):
            with self.subTest(program):
                record = self.one(program)
                self.assertEqual((record["level"], record["text"]), (40, text))
                self.assertIn("Traceback (most recent call last):", record["detail"])
        record = self.one("class A:\n    def __del__(self): fail()\nA()")
        self.assertRegex(record["text"], "^Exception ignored .*: ValueError: boom$")

    def test_a_record_that_cannot_be_formatted_says_where(self):
        record = self.one("log.error('%d', 'x')")
        self.assertRegex(record["text"], "^a log record of .*:\\d+ is lost: TypeError: ")
        self.assertTrue(record["detail"].endswith("Message: '%d'"))

    def test_a_record_has_a_limit(self):
        record = self.one("log.error('x' * 100_000 + '\\n' + 'y' * 100_000 + '\\ud800')")
        self.assertLess(len(record["text"]), 33_000)
        self.assertLess(len(record["detail"]), 66_000)

    def test_many_threads_and_a_fork_write_whole_records(self):
        records, text = run("""
def write():
    for i in range(200): log.error('x' * 20_000)
threads = [threading.Thread(target=write) for _ in range(4)]
for thread in threads: thread.start()
__import__("warnings").simplefilter("ignore")  # a fork beside threads
done, tell = os.pipe()
child = os.fork()
if child == 0:
    os.read(done, 1)
    log.error('child')
    os._exit(0)
for thread in threads: thread.join()
log.error('parent')
os.write(tell, b'!')
os.waitpid(child, 0)
""")
        self.assertEqual(([], 802), (text, len(records)))
        last = {record["text"]: record["pid"] for record in records if "x" not in record["text"]}
        self.assertEqual(2, len(set(last.values())))


if __name__ == "__main__":
    unittest.main()
