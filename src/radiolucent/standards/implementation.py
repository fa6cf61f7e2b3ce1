"""How Radiolucent names itself in associations (PS3.7 D.3.3.2) and in the meta information of files (PS3.10 7.1)."""

IMPLEMENTATION_CLASS_UID = "2.25.38127359140750771351934357728678826087"
IMPLEMENTATION_VERSION_NAME = "RADIOLUCENT_1"
