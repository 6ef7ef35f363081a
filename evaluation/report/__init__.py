"""The page that shows a run to whoever decides: what was learned, how sure it is, and what it rests on.

`document` says what a page is made of; each section is a module that makes its parts; `command` puts them in
order; the template in `templates/` only lays them out.
"""
