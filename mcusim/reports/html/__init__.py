"""Parts of the HTML report: which runs are on the front, pictures, tables, and the page that they stand on."""
