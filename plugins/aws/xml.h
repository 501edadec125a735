/* plugins/aws/xml.h: texts out of the XML that STS answers. */
#ifndef AWS_XML_H
#define AWS_XML_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

/* Appends the text of the first element of that name, with its references (&amp; &#10;) resolved. False:
 * there is none, it holds elements, or the document breaks off or is malformed before its end; `out` is then
 * to be thrown away. Comments, CDATA sections and attributes are understood; a document with a DOCTYPE is
 * refused, since AWS sends none and entities of its own have no business here. */
bool aws_xml_text(esp_bytes xml, const char *element, struct esp_text *out);

#endif
