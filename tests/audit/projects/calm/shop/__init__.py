from .ids import *
from .managers import IdManager
