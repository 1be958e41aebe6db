"""Pictures and pages of a library: what `tonotope.session` answers, made to be looked at.

A page is one HTML file that fetches nothing: style, script and data are in it. Whatever comes from
file names and tags is data there, never HTML.
"""
