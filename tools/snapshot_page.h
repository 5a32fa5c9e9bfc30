/* What every page has: its looks and its few lines of script. Parts of one HTML document. */
#pragma once

extern const char page_head[];   /* up to <body> and the opening of <main> */
extern const char page_filter[]; /* the search field and the kinds */
extern const char page_foot[];   /* the script, and the end of the document */
