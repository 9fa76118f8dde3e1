"""All modules of the standard library that a program is likely to import."""
import argparse, array, ast, base64, bisect, calendar, cmath, collections, configparser, contextlib, copy, csv, dataclasses
import decimal, difflib, dis, email.message, enum, fractions, functools, glob, graphlib, heapq, html.parser, http.client, inspect
import io, ipaddress, itertools, json, logging.handlers, marshal, math, mimetypes, numbers, operator, pdb, pickle, pprint, profile
import queue, re, sched, shelve, shlex, smtplib, statistics, string, struct, symtable, textwrap, timeit, tokenize, traceback
import tracemalloc, types, typing, unittest.mock, urllib.request, wave, weakref, xml.etree.ElementTree, zipimport

print("ok")
