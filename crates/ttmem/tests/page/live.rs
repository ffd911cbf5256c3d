//! The page of `ttmem serve --http`.
