/* get.h - one URL from start to end, and what is said meanwhile. */
#ifndef GET_H
#define GET_H

struct session;

/** get_url(s, url, place): download it and add to the session's figures.
 *  ${place}: where the URL stands, `FILE:LINE: `, or "". ${url} may be NULL
 *  where a setting names the files. */
void get_url(struct session *s, const char *url, const char *place);

#endif
