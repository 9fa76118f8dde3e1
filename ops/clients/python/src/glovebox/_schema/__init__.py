# Written by `generate`: run it instead of editing this.
from .job import Callback, Checker, Compare, Encoding, File, Limits, Network, Proxy, Test, Tolerance
from .result import Attempt, Connection, Denied, ErrorInfo, Limit, OutputFile, Ran, Status, TestResult, Times, Usage, Verdict

__all__ = ['Attempt', 'Callback', 'Checker', 'Compare', 'Connection', 'Denied', 'Encoding', 'ErrorInfo', 'File', 'Limit', 'Limits', 'Network', 'OutputFile', 'Proxy', 'Ran', 'Status', 'Test', 'TestResult', 'Times', 'Tolerance', 'Usage', 'Verdict']
