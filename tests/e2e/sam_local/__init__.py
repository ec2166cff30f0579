"""``make sam-local``: the functions of template.yaml in the containers of SAM, from a checkout alone."""
