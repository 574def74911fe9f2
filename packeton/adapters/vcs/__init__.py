"""Version control: git through dulwich, Mercurial and Subversion through their programs; all in child processes."""
